#include "anneal/data/tokenizer/normalizer.hpp"

#include "anneal/data/tokenizer/utf8.hpp"

namespace anneal::tokenizing {
namespace {

// Calls visit(character, its bytes) for each character.
template <class Visit>
void each_character(std::string_view text, const Visit& visit) {
  for (size_t at = 0; at < text.size();) {
    bpe::Utf8Char c = bpe::utf8_char(text, at);
    size_t bytes = c.bytes > 0 ? static_cast<size_t>(c.bytes) : 1;
    visit(c.code, text.substr(at, bytes));
    at += bytes;
  }
}

bool dropped_by_nmt(char32_t c) {
  return (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F ||
         c == 0x8F || c == 0x9F;
}

bool space_for_nmt(char32_t c) {
  return c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 ||
         (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF ||
         c == 0xFFFD;
}

}  // namespace

Normalizer unicode_normalizer(NormalForm form) {
  return [form](std::string_view text) { return normalized(form, text); };
}

Normalizer lowercase_normalizer() {
  return [](std::string_view text) { return lowercase(text); };
}

Normalizer prepend_normalizer(std::string content) {
  return [content = std::move(content)](std::string_view text) {
    return text.empty() ? std::string() : content + std::string(text);
  };
}

Normalizer replace_normalizer(Pattern pattern, std::string content) {
  return [pattern = std::move(pattern), content = std::move(content)](std::string_view text) {
    std::string out;
    for (Span span : pattern.find(text))
      out +=
          span.match ? std::string_view(content) : text.substr(span.begin, span.end - span.begin);
    return out;
  };
}

Normalizer strip_normalizer(bool left, bool right) {
  return [left, right](std::string_view text) {
    size_t begin = text.size(), end = 0, at = 0;
    each_character(text, [&](char32_t c, std::string_view bytes) {
      if (!bpe::is_white_space(c)) {
        begin = std::min(begin, at);
        end = at + bytes.size();
      }
      at += bytes.size();
    });
    if (!left) begin = 0;
    if (!right) end = text.size();
    return std::string(begin < end ? text.substr(begin, end - begin) : std::string_view());
  };
}

Normalizer strip_accents_normalizer() {
  return [](std::string_view text) {
    std::string out;
    each_character(text, [&](char32_t c, std::string_view bytes) {
      if (!is_mark(c)) out += bytes;
    });
    return out;
  };
}

Normalizer nmt_normalizer() {
  return [](std::string_view text) {
    std::string out;
    each_character(text, [&](char32_t c, std::string_view bytes) {
      if (!dropped_by_nmt(c)) out += space_for_nmt(c) ? std::string_view(" ") : bytes;
    });
    return out;
  };
}

}  // namespace anneal::tokenizing
