#include "anneal/checkpoint/gguf.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

#include "anneal/base/error.hpp"
#include "anneal/checkpoint/gguf_cursor.hpp"
#include "anneal/checkpoint/safetensors_header.hpp"

namespace anneal {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is read as little-endian");

constexpr uint32_t most_dimensions = 4;
constexpr int64_t largest_alignment = 1 << 20;

// Indices of the names in order; `what` they are, for the message if two are equal.
template <class T, class Name>
std::vector<size_t> sorted_by_name(const std::vector<T>& list, Name name, const std::string& where,
                                   std::string_view what) {
  std::vector<size_t> order(list.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) { return std::string_view(name(list[i])); });
  for (size_t i = 1; i < order.size(); ++i)
    if (name(list[order[i]]) == name(list[order[i - 1]]))
      throw FormatError(
          str("[", where, "] has two ", what, " named ", quoted_name(name(list[order[i]]))));
  return order;
}

template <class T, class Name>
const T* find_by_name(const std::vector<T>& list, const std::vector<size_t>& order, Name name,
                      std::string_view wanted) {
  auto at = std::ranges::lower_bound(order, wanted, {},
                                     [&](size_t i) { return std::string_view(name(list[i])); });
  return at != order.end() && name(list[*at]) == wanted ? &list[*at] : nullptr;
}

const std::string& key_of(const std::pair<std::string, GgufValue>& entry) { return entry.first; }
const std::string& name_of_entry(const GgufEntry& entry) { return entry.name; }

GgufEntry read_entry(GgufCursor& in, const std::string& where) {
  GgufEntry entry;
  entry.name = in.text("a tensor's name");
  auto refuse = [&](auto&&... what) {
    throw FormatError(str("[", where, "] tensor ", quoted_name(entry.name), ": ", what...));
  };
  auto rank = in.number<uint32_t>("a tensor's number of dimensions");
  if (rank < 1 || rank > most_dimensions)
    refuse("has ", rank, " dimensions, expected 1 to ", most_dimensions);
  uint64_t dims[most_dimensions], elements = 1;
  for (uint32_t i = 0; i < rank; ++i) {
    dims[i] = in.number<uint64_t>("a tensor's shape");
    if (dims[i] == 0 || __builtin_mul_overflow(elements, dims[i], &elements) ||
        elements > uint64_t{1} << 60)
      refuse("an impossible shape: dimension ", i, " is ", dims[i]);
  }
  for (uint32_t i = rank; i-- > 0;) entry.shape.push_back(static_cast<int64_t>(dims[i]));
  auto number = in.number<uint32_t>("a tensor's type");
  const GgufTypeInfo* type = gguf_type_info(static_cast<GgufType>(number));
  if (!type) refuse("unknown type ", number);
  entry.type = type->type;
  auto block = static_cast<uint64_t>(type->block);
  if (dims[0] % block != 0)
    refuse("rows of ", dims[0], " elements, ", type->name, " comes in blocks of ", block);
  if (__builtin_mul_overflow(elements / block, static_cast<uint64_t>(type->block_bytes),
                             &entry.bytes))
    refuse("more bytes than can be counted");
  entry.begin = in.number<uint64_t>("a tensor's offset");
  return entry;
}

}  // namespace

GgufFile::GgufFile(const std::filesystem::path& path)
    : file_(path), content_(file_.bytes()), where_(path.string()) {
  parse();
}

GgufFile::GgufFile(std::span<const std::byte> content, std::string where)
    : content_(content), where_(std::move(where)) {
  parse();
}

void GgufFile::parse() {
  GgufCursor in(content_, where_);
  constexpr uint32_t magic = 0x46554747;  // "GGUF"
  if (content_.size() < 4 || in.number<uint32_t>("the magic number") != magic)
    throw FormatError(str("[", where_, "] is not a GGUF file: it does not begin with GGUF"));
  version_ = in.number<uint32_t>("the version");
  if (version_ != 2 && version_ != 3)
    throw FormatError(str("[", where_, "] is GGUF of version ", version_,
                          version_ > 0xffff ? " (a big-endian file?)" : "",
                          ", expected 2 or 3, little-endian"));
  auto tensors = in.number<uint64_t>("the number of tensors");
  auto keys = in.number<uint64_t>("the number of keys");
  // Counts are not believed: memory grows with what is really there.
  for (uint64_t i = 0; i < keys; ++i) {
    std::string key(in.text("a key"));
    auto value = in.value(key);
    metadata_.emplace_back(std::move(key), value);
  }
  metadata_by_name_ = sorted_by_name(metadata_, key_of, where_, "keys");
  for (uint64_t i = 0; i < tensors; ++i) entries_.push_back(read_entry(in, where_));
  tensors_by_name_ = sorted_by_name(entries_, name_of_entry, where_, "tensors");

  int64_t alignment = integer("general.alignment").value_or(32);
  if (alignment < 1 || alignment > largest_alignment || alignment % 8 != 0)
    throw FormatError(str("[", where_, "] general.alignment: expected a multiple of 8 up to ",
                          largest_alignment, ", got ", alignment));
  auto unit = static_cast<uint64_t>(alignment);
  uint64_t data = (in.position() + unit - 1) / unit * unit, size = content_.size();
  for (auto& entry : entries_) {
    auto refuse = [&](auto&&... what) {
      throw FormatError(str("[", where_, "] tensor ", quoted_name(entry.name), ": ", what...));
    };
    if (entry.begin % unit != 0)
      refuse("its offset ", entry.begin, " is not a multiple of the alignment ", unit);
    if (data > size || entry.begin > size - data || entry.bytes > size - data - entry.begin)
      refuse("its ", entry.bytes, " bytes at offset ", entry.begin,
             " lie outside the file, which has ", data > size ? 0 : size - data,
             " for all tensors (is it cut off?)");
    entry.begin += data;
  }
}

const GgufValue* GgufFile::find(std::string_view key) const {
  auto found = find_by_name(metadata_, metadata_by_name_, key_of, key);
  return found ? &found->second : nullptr;
}

const GgufEntry* GgufFile::find_tensor(std::string_view name) const {
  return find_by_name(entries_, tensors_by_name_, name_of_entry, name);
}

namespace {

template <class Get>
auto typed(const GgufFile& file, std::string_view key, std::string_view expected, Get get)
    -> decltype(get(std::declval<const GgufValue&>())) {
  const GgufValue* value = file.find(key);
  if (!value) return {};
  auto result = get(*value);
  if (!result)
    throw FormatError(str("[", file.where(), "] ", key, ": expected ", expected,
                          ", got a value of type ", static_cast<uint32_t>(value->type)));
  return result;
}

}  // namespace

std::optional<int64_t> GgufFile::integer(std::string_view key) const {
  return typed(*this, key, "an integer", [](const GgufValue& v) { return v.integer(); });
}
std::optional<double> GgufFile::number(std::string_view key) const {
  return typed(*this, key, "a number", [](const GgufValue& v) { return v.number(); });
}
std::optional<bool> GgufFile::boolean(std::string_view key) const {
  return typed(*this, key, "true or false", [](const GgufValue& v) { return v.boolean(); });
}
std::optional<std::string> GgufFile::text(std::string_view key) const {
  auto view = typed(*this, key, "text", [](const GgufValue& v) { return v.text(); });
  return view ? std::optional(std::string(*view)) : std::nullopt;
}
std::optional<std::vector<std::string_view>> GgufFile::texts(std::string_view key) const {
  return typed(*this, key, "a list of texts", [](const GgufValue& v) { return v.texts(); });
}
std::optional<std::vector<double>> GgufFile::numbers(std::string_view key) const {
  return typed(*this, key, "a list of numbers", [](const GgufValue& v) { return v.numbers(); });
}

std::span<const std::byte> GgufFile::bytes(const GgufEntry& entry) const {
  return content_.subspan(entry.begin, entry.bytes);
}

void GgufFile::read_as_f32(const GgufEntry& entry, float* out) const {
  const GgufTypeInfo* type = gguf_type_info(entry.type);
  if (!type->readable)
    throw FormatError(str("[", where_, "] tensor ", quoted_name(entry.name), " is ", type->name,
                          ", which is not read"));
  dequantise(entry.type, bytes(entry), out);
}

}  // namespace anneal
