#include <limits>

#include "anneal/base/error.hpp"
#include "anneal/checkpoint/gguf_cursor.hpp"
#include "anneal/checkpoint/safetensors_header.hpp"

namespace anneal {
namespace {

using Type = GgufValueType;

constexpr uint32_t last_type = static_cast<uint32_t>(Type::f64);

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::optional<int64_t> integer_at(Type type, const std::byte* at) {
  switch (type) {
    case Type::u8:
      return load<uint8_t>(at);
    case Type::i8:
      return load<int8_t>(at);
    case Type::u16:
      return load<uint16_t>(at);
    case Type::i16:
      return load<int16_t>(at);
    case Type::u32:
      return load<uint32_t>(at);
    case Type::i32:
      return load<int32_t>(at);
    case Type::i64:
      return load<int64_t>(at);
    case Type::u64: {
      auto value = load<uint64_t>(at);
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return {};
      return static_cast<int64_t>(value);
    }
    default:
      return {};
  }
}

std::optional<double> number_at(Type type, const std::byte* at) {
  if (type == Type::f32) return load<float>(at);
  if (type == Type::f64) return load<double>(at);
  auto whole = integer_at(type, at);
  return whole ? std::optional(static_cast<double>(*whole)) : std::nullopt;
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

uint64_t gguf_value_size(GgufValueType type) {
  switch (type) {
    case Type::u8:
    case Type::i8:
    case Type::boolean:
      return 1;
    case Type::u16:
    case Type::i16:
      return 2;
    case Type::u32:
    case Type::i32:
    case Type::f32:
      return 4;
    case Type::u64:
    case Type::i64:
    case Type::f64:
      return 8;
    case Type::text:
    case Type::array:
      return 0;
  }
  return 0;
}

std::span<const std::byte> GgufCursor::take(uint64_t bytes, std::string_view what) {
  if (bytes > content_.size() - position_)
    throw FormatError(str("[", where_, "] is cut off or damaged: ", what, " takes ", bytes,
                          " bytes at ", position_, ", the file has ", content_.size()));
  auto taken = content_.subspan(position_, bytes);
  position_ += bytes;
  return taken;
}

std::string_view GgufCursor::text(std::string_view what) {
  auto length = number<uint64_t>(what);
  return text_of(take(length, what));
}

GgufValue GgufCursor::value(std::string_view key) {
  auto what = str("the value of ", quoted_name(key));
  auto type_of = [&](uint32_t number) {
    if (number > last_type)
      throw FormatError(str("[", where_, "] ", quoted_name(key), " has the unknown type ", number));
    return static_cast<Type>(number);
  };
  GgufValue result;
  result.type = type_of(number<uint32_t>(what));
  if (result.type == Type::text) {
    auto length = number<uint64_t>(what);
    result.bytes = take(length, what);
    return result;
  }
  if (result.type != Type::array) {
    result.bytes = take(gguf_value_size(result.type), what);
    return result;
  }
  result.element = type_of(number<uint32_t>(what));
  result.count = number<uint64_t>(what);
  if (result.element == Type::array)
    throw FormatError(str("[", where_, "] ", quoted_name(key), " is a list of lists"));
  if (uint64_t size = gguf_value_size(result.element)) {
    if (result.count > content_.size() / size) take(content_.size() + 1, what);
    result.bytes = take(result.count * size, what);
    return result;
  }
  uint64_t begin = position_;
  for (uint64_t i = 0; i < result.count; ++i) text(what);
  result.bytes = content_.subspan(begin, position_ - begin);
  return result;
}

std::optional<int64_t> GgufValue::integer() const { return integer_at(type, bytes.data()); }
std::optional<double> GgufValue::number() const { return number_at(type, bytes.data()); }

std::optional<bool> GgufValue::boolean() const {
  if (type != Type::boolean) return {};
  return bytes[0] != std::byte{0};
}

std::optional<std::string_view> GgufValue::text() const {
  if (type != Type::text) return {};
  return text_of(bytes);
}

std::optional<std::vector<std::string_view>> GgufValue::texts() const {
  if (type != Type::array || element != Type::text) return {};
  std::vector<std::string_view> result;
  for (size_t at = 0; at < bytes.size();) {
    auto length = load<uint64_t>(bytes.data() + at);
    result.push_back(text_of(bytes.subspan(at + sizeof length, length)));
    at += sizeof length + length;
  }
  return result;
}

std::optional<std::vector<double>> GgufValue::numbers() const {
  if (type != Type::array || element == Type::text || element == Type::boolean) return {};
  std::vector<double> result;
  uint64_t size = gguf_value_size(element);
  for (size_t at = 0; at < bytes.size(); at += size)
    result.push_back(number_at(element, bytes.data() + at).value_or(0));
  return result;
}

}  // namespace anneal
