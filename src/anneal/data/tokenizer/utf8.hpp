#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace anneal::bpe {

// Length in bytes of the longest prefix of `text` that is valid UTF-8 (RFC 3629: no overlong forms,
// no surrogates, nothing above U+10FFFF).
size_t valid_utf8_prefix(std::string_view text);

struct Utf8Char {
  char32_t code = 0;
  int bytes = 0;  // 0: no valid character stands here
};

// The character that starts at text[at].
Utf8Char utf8_char(std::string_view text, size_t at);

// Whether the character has Unicode's White_Space property.
bool is_white_space(char32_t code);

}  // namespace anneal::bpe
