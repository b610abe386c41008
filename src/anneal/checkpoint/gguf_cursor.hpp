#pragma once

#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "anneal/checkpoint/gguf.hpp"

namespace anneal {

// Inside the room: reads a GGUF file from front to back; nothing is read beyond its end.
class GgufCursor {
 public:
  GgufCursor(std::span<const std::byte> content, const std::string& where)
      : content_(content), where_(where) {}

  uint64_t position() const { return position_; }

  // `what` is being read, for the message if the file ends.
  std::span<const std::byte> take(uint64_t bytes, std::string_view what);
  template <class T>
  T number(std::string_view what) {
    T value;
    std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
    return value;
  }
  std::string_view text(std::string_view what);
  // The value of a key; text arrays are walked over, so that GgufValue can be decoded later.
  GgufValue value(std::string_view key);

 private:
  std::span<const std::byte> content_;
  const std::string& where_;
  uint64_t position_ = 0;
};

// Bytes of a value of fixed size; 0 for text and arrays.
uint64_t gguf_value_size(GgufValueType type);

}  // namespace anneal
