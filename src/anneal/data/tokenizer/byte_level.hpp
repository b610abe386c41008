#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// GPT-2's way to write bytes as text: printable bytes (! … ~, ¡ … ¬, ® … ÿ) stand for themselves as
// characters of Latin-1, the other 68 become, in order, the characters from U+0100. Vocabularies in
// a tokenizer.json are written so.
namespace anneal::bpe {

// The UTF-8 text that stands for `bytes`.
std::string to_byte_level(std::string_view bytes);

// The bytes that `text` stands for; nothing if it has a character that stands for no byte.
std::optional<std::string> from_byte_level(std::string_view text);

// GPT-2's order of the bytes, which is that of their characters: the byte with id 0 … 255.
uint8_t byte_in_order(int32_t id);

}  // namespace anneal::bpe
