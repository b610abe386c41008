#include "anneal/checkpoint/safetensors_header.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

namespace anneal {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors is little-endian");

struct FormatDType {
  std::string_view name;
  int64_t size;
};

constexpr FormatDType format_dtypes[] = {{"F32", 4},  {"BF16", 2},    {"F16", 2},    {"F64", 8},
                                         {"I64", 8},  {"I32", 4},     {"I16", 2},    {"I8", 1},
                                         {"U64", 8},  {"U32", 4},     {"U16", 2},    {"U8", 1},
                                         {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};

constexpr int64_t max_int64 = std::numeric_limits<int64_t>::max();

// Takes the header's JSON piece by piece. Only the shape of document that the format allows gets
// through: an object of objects, whose members are text or arrays of integers. So neither depth nor
// memory can grow beyond what a real header needs.
class HeaderSax : public nlohmann::json_sax<nlohmann::json> {
 public:
  SafetensorsHeader header;
  std::string problem;

  bool start_object(size_t) override {
    if (level_ == Level::outside) return enter(Level::tensors);
    if (level_ != Level::tensors) return refuse("an object where a value is expected");
    if (key_ == "__metadata__") {
      if (has_metadata_) return refuse("a second __metadata__");
      has_metadata_ = true;
      return enter(Level::metadata);
    }
    header.entries.emplace_back().name = key_;
    has_dtype_ = has_shape_ = has_offsets_ = false;
    return enter(Level::tensor);
  }

  bool key(std::string& key) override {
    key_ = std::move(key);
    return true;
  }

  bool end_object() override {
    if (level_ == Level::tensors) return enter(Level::outside);
    if (level_ == Level::metadata) return enter(Level::tensors);
    if (!has_dtype_) return refuse("no dtype");
    if (!has_shape_) return refuse("no shape");
    if (!has_offsets_) return refuse("no data_offsets");
    return enter(Level::tensors);
  }

  bool start_array(size_t) override {
    if (level_ != Level::tensor) return refuse("an array where an object or text is expected");
    if (key_ == "shape" && !has_shape_) {
      has_shape_ = true;
      return enter(Level::shape);
    }
    if (key_ == "data_offsets" && !has_offsets_) {
      has_offsets_ = true;
      offsets_ = 0;
      return enter(Level::offsets);
    }
    return refuse_member();
  }

  bool end_array() override {
    if (level_ == Level::offsets && offsets_ != 2)
      return refuse("data_offsets are not two numbers");
    return enter(Level::tensor);
  }

  bool string(std::string& text) override {
    if (level_ == Level::metadata) {
      if (!header.metadata.emplace(key_, std::move(text)).second)
        return refuse("twice the same key in __metadata__: " + quoted_name(key_));
      return true;
    }
    if (level_ != Level::tensor) return refuse("text where something else is expected");
    if (key_ != "dtype" || has_dtype_) return refuse_member();
    has_dtype_ = true;
    header.entries.back().dtype = std::move(text);
    return true;
  }

  bool number_unsigned(uint64_t value) override {
    if (value > static_cast<uint64_t>(max_int64)) return refuse("a number beyond 63 bits");
    return integer(static_cast<int64_t>(value));
  }
  bool number_integer(int64_t value) override {
    if (value < 0) return refuse(str("the negative number ", value));
    return integer(value);
  }
  bool number_float(double, const std::string& text) override {
    return refuse("the number " + quoted_name(text) + " where an integer is expected");
  }
  bool null() override { return refuse("null where a value is expected"); }
  bool boolean(bool) override { return refuse("a boolean where a value is expected"); }
  bool binary(nlohmann::json::binary_t&) override { return refuse("binary data"); }

  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    problem = str("the header is not valid JSON at its byte ", position);
    return false;
  }

 private:
  enum class Level { outside, tensors, metadata, tensor, shape, offsets };

  bool enter(Level level) {
    level_ = level;
    return true;
  }

  bool integer(int64_t value) {
    if (level_ == Level::shape) {
      header.entries.back().shape.push_back(value);
      return true;
    }
    if (level_ != Level::offsets) return refuse("a number where something else is expected");
    if (offsets_ == 2) return refuse("data_offsets are not two numbers");
    auto& entry = header.entries.back();
    (offsets_++ == 0 ? entry.begin : entry.end) = value;
    return true;
  }

  bool refuse(const std::string& what) {
    bool in_tensor = level_ == Level::tensor || level_ == Level::shape || level_ == Level::offsets;
    problem = (in_tensor ? "tensor " + quoted_name(header.entries.back().name) + ": "
                         : "in the header: ") +
              what;
    return false;
  }
  bool refuse_member() {
    return refuse("unexpected or repeated member " + quoted_name(key_) +
                  " (expected dtype, shape, data_offsets)");
  }

  Level level_ = Level::outside;
  std::string key_;
  bool has_metadata_ = false, has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
  int offsets_ = 0;
};

// The bytes that an entry's shape and dtype make, or -1 if they don't fit into 63 bits.
int64_t bytes_of(const SafetensorsEntry& entry, int64_t element_size) {
  // A tensor without elements has no bytes, however large its other dimensions are.
  if (std::find(entry.shape.begin(), entry.shape.end(), 0) != entry.shape.end()) return 0;
  int64_t bytes = element_size;
  for (int64_t dim : entry.shape)
    if (__builtin_mul_overflow(bytes, dim, &bytes)) return -1;
  return bytes;
}

std::string text_of(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size() && i < 8; ++i) text += str(i ? "," : "", shape[i]);
  return text + (shape.size() > 8 ? ",…]" : "]");
}

void check_entry(const SafetensorsEntry& entry, int64_t expected_begin, int64_t data_size,
                 const std::string& where) {
  auto refuse = [&](auto&&... what) {
    throw FormatError(str("[", where, "] tensor ", quoted_name(entry.name), ": ", what...));
  };
  int64_t element_size = safetensors_element_size(entry.dtype);
  if (element_size == 0) refuse("unknown dtype ", quoted_name(entry.dtype));
  if (entry.begin > entry.end)
    refuse("its bytes end at ", entry.end, ", before they begin at ", entry.begin);
  if (entry.end > data_size)
    refuse("its bytes ", entry.begin, " to ", entry.end, " lie outside the file, which has ",
           data_size, " after the header (is it cut off?)");
  if (entry.begin != expected_begin)
    refuse("its bytes begin at ", entry.begin,
           entry.begin < expected_begin ? ", inside the tensor before it, which ends at "
                                        : ", leaving a hole after ",
           expected_begin);
  int64_t bytes = bytes_of(entry, element_size);
  if (bytes != entry.end - entry.begin)
    refuse("the shape ", text_of(entry.shape), " of ", entry.dtype, " takes ",
           bytes < 0 ? std::string("too many") : std::to_string(bytes),
           " bytes, the file gives it ", entry.end - entry.begin);
}

}  // namespace

std::string quoted_name(std::string_view name) {
  std::string text = "'";
  for (char c : name.substr(0, 80))
    text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return text + (name.size() > 80 ? "…'" : "'");
}

std::string_view safetensors_name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "F32";
    case DType::bf16:
      return "BF16";
    case DType::f16:
      return "F16";
    case DType::f64:
      return "F64";
    case DType::i32:
      return "I32";
    case DType::i64:
      return "I64";
  }
  ANNEAL_ASSERT(false, "unknown dtype");
}

int64_t safetensors_element_size(std::string_view dtype) {
  for (const auto& known : format_dtypes)
    if (known.name == dtype) return known.size;
  return 0;
}

SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file,
                                           const std::string& where) {
  uint64_t length = 0;
  if (file.size() < sizeof length)
    throw FormatError(str("[", where, "] is not a safetensors file: it has only ", file.size(),
                          " bytes (is it cut off?)"));
  std::memcpy(&length, file.data(), sizeof length);
  if (length > max_safetensors_header || length > file.size() - sizeof length)
    throw FormatError(str("[", where,
                          "] is not a safetensors file or is cut off: its header should be ",
                          length, " bytes long, the file has ", file.size(), " (at most ",
                          max_safetensors_header, " are allowed)"));
  auto text = reinterpret_cast<const char*>(file.data() + sizeof length);
  if (length == 0 || text[0] != '{')
    throw FormatError(
        str("[", where, "] is not a safetensors file: its header does not begin with {"));

  HeaderSax sax;
  if (!nlohmann::json::sax_parse(text, text + length, &sax))
    throw FormatError(str("[", where, "] ", sax.problem));
  auto header = std::move(sax.header);
  header.data_begin = sizeof length + length;

  std::stable_sort(header.entries.begin(), header.entries.end(), [](const auto& a, const auto& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  auto data_size = static_cast<int64_t>(file.size() - header.data_begin);
  int64_t position = 0;
  for (const auto& entry : header.entries) {
    check_entry(entry, position, data_size, where);
    position = entry.end;
  }
  if (position != data_size)
    throw FormatError(str("[", where, "] has ", data_size - position,
                          " bytes after the last tensor that belong to none"));
  return header;
}

}  // namespace anneal
