#include "anneal/data/jinja/text.hpp"

#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer/unicode.hpp"
#include "anneal/data/tokenizer/utf8.hpp"

namespace anneal::jinja {
using tokenizing::in_case;
using tokenizing::LetterCase;

size_t character_size(std::string_view text, size_t at) {
  int bytes = bpe::utf8_char(text, at).bytes;
  return bytes > 0 ? static_cast<size_t>(bytes) : 1;
}

int64_t count_characters(std::string_view text) {
  int64_t count = 0;
  for (size_t at = 0; at < text.size(); at += character_size(text, at)) ++count;
  return count;
}

bool is_space(std::string_view text, size_t at, size_t size) {
  if (size == 1) {
    unsigned char c = static_cast<unsigned char>(text[at]);
    return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f);
  }
  return bpe::is_white_space(bpe::utf8_char(text, at).code);
}

std::string_view strip(std::string_view text, bool left, bool right,
                       const std::string* characters) {
  auto goes = [&](size_t at, size_t size) {
    if (!characters) return is_space(text, at, size);
    return characters->find(text.substr(at, size)) != std::string::npos;
  };
  size_t begin = 0, end = text.size();
  while (left && begin < end) {
    size_t size = character_size(text, begin);
    if (!goes(begin, size)) break;
    begin += size;
  }
  while (right && end > begin) {
    size_t at = end - 1;
    while (at > begin && (text[at] & 0xC0) == 0x80) --at;
    if (!goes(at, end - at)) break;
    end = at;
  }
  return text.substr(begin, end - begin);
}

std::string upper(std::string_view text) { return in_case(LetterCase::upper, text); }
std::string lower(std::string_view text) { return in_case(LetterCase::lower, text); }

std::string title(std::string_view text) {
  std::string out;
  bool cased = false;
  // The last sigma of a word has a form of its own, which lowering character by character misses.
  for (size_t at = 0, size; at < text.size(); at += size) {
    size = character_size(text, at);
    if (bpe::utf8_char(text, at).code == 0x3A3 && cased)
      throw Failure("title() of a text with Σ inside a word is not supported");
    std::string_view character = text.substr(at, size);
    out += cased ? lower(character) : in_case(LetterCase::title, character);
    cased = tokenizing::is_cased(bpe::utf8_char(text, at).code);
  }
  return out;
}

std::string capitalize(std::string_view text) {
  if (text.empty()) return "";
  size_t first = character_size(text, 0);
  // The whole is lowered, as the last sigma of a word depends on what stands before it.
  std::string whole = lower(text), head = lower(text.substr(0, first));
  return in_case(LetterCase::title, text.substr(0, first)) + whole.substr(head.size());
}

}  // namespace anneal::jinja
