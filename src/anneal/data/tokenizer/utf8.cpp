#include "anneal/data/tokenizer/utf8.hpp"

#include <cstring>

namespace anneal::bpe {

Utf8Char utf8_char(std::string_view text, size_t at) {
  auto byte = [&](size_t i) -> uint32_t {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0;
  };
  uint32_t first = byte(0);
  if (at >= text.size()) return {};
  if (first < 0x80) return {first, 1};
  auto tail = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  if (first >= 0xC2 && first <= 0xDF && tail(1)) return {(first & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if ((first & 0xF0) == 0xE0 && tail(1) && tail(2)) {
    char32_t code = (first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    if (code >= 0x800 && !surrogate) return {code, 3};
  }
  if (first >= 0xF0 && first <= 0xF4 && tail(1) && tail(2) && tail(3)) {
    char32_t code =
        (first & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    if (code >= 0x10000 && code <= 0x10FFFF) return {code, 4};
  }
  return {};
}

size_t valid_utf8_prefix(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    if (at + 8 <= text.size()) {
      uint64_t word;
      std::memcpy(&word, text.data() + at, 8);
      if ((word & 0x8080808080808080u) == 0) {
        at += 8;
        continue;
      }
    }
    int bytes = utf8_char(text, at).bytes;
    if (bytes == 0) break;
    at += bytes;
  }
  return at;
}

bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

}  // namespace anneal::bpe
