#include "anneal/checkpoint/safetensors.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "anneal/checkpoint/safetensors_header.hpp"

namespace anneal {
namespace {

// Copies element by element: neither side need be aligned.
template <class From, class To>
void convert(std::span<const std::byte> from, void* out) {
  auto to = static_cast<std::byte*>(out);
  for (size_t at = 0; at < from.size(); at += sizeof(From), to += sizeof(To)) {
    From value;
    std::memcpy(&value, from.data() + at, sizeof value);
    To result(static_cast<float>(value));
    std::memcpy(to, &result, sizeof result);
  }
}

// Whether there is a conversion of the format's `dtype` to To (float, bf16 or f16), having made it.
template <class To>
bool convert_from(std::string_view dtype, std::span<const std::byte> from, void* out) {
  if (dtype == "F32") return convert<float, To>(from, out), true;
  if (dtype == "BF16") return convert<bf16, To>(from, out), true;
  if (dtype == "F16") return convert<f16, To>(from, out), true;
  return false;
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : file_(path), where_(path.string()) {
  parse(file_.bytes());
}

SafetensorsFile::SafetensorsFile(std::span<const std::byte> content, std::string where)
    : where_(std::move(where)) {
  parse(content);
}

void SafetensorsFile::parse(std::span<const std::byte> content) {
  auto header = parse_safetensors_header(content, where_);
  entries_ = std::move(header.entries);
  metadata_ = std::move(header.metadata);
  data_ = content.subspan(header.data_begin);

  by_name_.resize(entries_.size());
  std::iota(by_name_.begin(), by_name_.end(), size_t{0});
  std::sort(by_name_.begin(), by_name_.end(),
            [&](size_t a, size_t b) { return entries_[a].name < entries_[b].name; });
  auto twice = std::adjacent_find(by_name_.begin(), by_name_.end(), [&](size_t a, size_t b) {
    return entries_[a].name == entries_[b].name;
  });
  if (twice != by_name_.end())
    throw FormatError(
        str("[", where_, "] has two tensors named ", quoted_name(entries_[*twice].name)));
}

const SafetensorsEntry* SafetensorsFile::find(std::string_view name) const {
  auto at = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                             [&](size_t i, std::string_view n) { return entries_[i].name < n; });
  return at != by_name_.end() && entries_[*at].name == name ? &entries_[*at] : nullptr;
}

const SafetensorsEntry& SafetensorsFile::entry(std::string_view name) const {
  if (auto found = find(name)) return *found;
  std::vector<std::string> names;
  for (const auto& e : entries_) names.push_back(e.name);
  auto nearest = nearest_word(name, names.data(), std::min<size_t>(names.size(), 4096));
  throw FormatError(str("[", where_, "] has no tensor ", quoted_name(name), " among its ",
                        names.size(),
                        nearest.empty() ? "" : " (the nearest is " + quoted_name(nearest) + ")"));
}

Shape SafetensorsFile::shape(std::string_view name) const {
  const auto& dims = entry(name).shape;
  if (dims.size() > Shape::max_rank)
    throw FormatError(str("[", where_, "] tensor ", quoted_name(name), " has ", dims.size(),
                          " dimensions, expected at most ", Shape::max_rank));
  Shape shape;
  for (int64_t dim : dims) shape.push_back(dim);
  return shape;
}

void SafetensorsFile::expect_shape(std::string_view name, const Shape& expected) const {
  if (auto got = shape(name); got != expected)
    throw FormatError(str("[", where_, "] tensor ", quoted_name(name), ": expected shape ",
                          expected, ", got ", got, " (does the file belong to this model?)"));
}

std::span<const std::byte> SafetensorsFile::bytes(std::string_view name) const {
  const auto& e = entry(name);
  return data_.subspan(static_cast<size_t>(e.begin), static_cast<size_t>(e.end - e.begin));
}

void SafetensorsFile::read(std::string_view name, DType dtype, void* out) const {
  int64_t elements = 1;
  for (int64_t dim : entry(name).shape) elements *= dim;
  read_part(name, dtype, 0, elements, out);
}

void SafetensorsFile::read_part(std::string_view name, DType dtype, int64_t first, int64_t count,
                                void* out) const {
  const auto& e = entry(name);
  auto from = bytes(name);
  int64_t elements = 1;
  for (int64_t dim : e.shape) elements *= dim;
  ANNEAL_ASSERT(first >= 0 && count >= 0 && first + count <= elements, "elements of ", name);
  if (elements > 0) {
    size_t size = from.size() / static_cast<size_t>(elements);
    from = from.subspan(static_cast<size_t>(first) * size, static_cast<size_t>(count) * size);
  }
  if (e.dtype == safetensors_name_of(dtype)) {
    if (!from.empty()) std::memcpy(out, from.data(), from.size());
    return;
  }
  bool done = is_f32_or_low(dtype) && visit(dtype, [&](auto tag) {
                return convert_from<typename decltype(tag)::type>(e.dtype, from, out);
              });
  if (!done)
    throw FormatError(str("[", where_, "] tensor ", quoted_name(name), " is ", e.dtype,
                          ", expected ",
                          is_f32_or_low(dtype) ? "F32, F16 or BF16" : safetensors_name_of(dtype)));
}

}  // namespace anneal
