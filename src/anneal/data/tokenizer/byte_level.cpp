#include "anneal/data/tokenizer/byte_level.hpp"

#include <array>

#include "anneal/data/tokenizer/utf8.hpp"

namespace anneal::bpe {
namespace {

constexpr int kCharacters = 256 + 68;

struct Tables {
  std::array<uint16_t, 256> character{};    // of each byte
  std::array<int16_t, kCharacters> byte{};  // of each character, or −1
  std::array<uint8_t, 256> order{};         // bytes by their character
};

constexpr Tables make_tables() {
  Tables t;
  t.byte.fill(-1);
  uint16_t next = 256;
  for (int b = 0; b < 256; ++b) {
    bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    t.character[b] = printable ? static_cast<uint16_t>(b) : next++;
    t.byte[t.character[b]] = static_cast<int16_t>(b);
  }
  int id = 0;
  for (int c = 0; c < kCharacters; ++c)
    if (t.byte[c] >= 0) t.order[id++] = static_cast<uint8_t>(t.byte[c]);
  return t;
}

constexpr Tables kTables = make_tables();

}  // namespace

std::string to_byte_level(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() + bytes.size() / 4);
  for (unsigned char b : bytes) {
    uint16_t c = kTables.character[b];
    if (c < 0x80) {
      text += static_cast<char>(c);
    } else {
      text += static_cast<char>(0xC0 | c >> 6);
      text += static_cast<char>(0x80 | (c & 0x3F));
    }
  }
  return text;
}

std::optional<std::string> from_byte_level(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    Utf8Char c = utf8_char(text, at);
    if (c.bytes == 0 || c.code >= kCharacters || kTables.byte[c.code] < 0) return std::nullopt;
    bytes += static_cast<char>(kTables.byte[c.code]);
    at += c.bytes;
  }
  return bytes;
}

uint8_t byte_in_order(int32_t id) { return kTables.order[id]; }

}  // namespace anneal::bpe
