#include <algorithm>
#include <charconv>

#include "anneal/base/error.hpp"
#include "anneal/data/jinja/syntax.hpp"
#include "anneal/data/jinja/text.hpp"
#include "anneal/data/tokenizer/unicode.hpp"

namespace anneal::jinja {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_character(char c) {
  return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Every kind of line end is one.
std::string with_plain_newlines(std::string_view source) {
  std::string out;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  return out;
}

// Follows jinja2/lexer.py, whose regular expressions the comments quote.
class Lexer {
 public:
  Lexer(std::string source, const std::string& where) : source_(std::move(source)), where_(where) {
    // The last line end of a template is dropped.
    if (source_.ends_with('\n')) source_.pop_back();
  }

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      size_t tag = next_tag();
      if (tag == std::string::npos) {
        add_text(source_.substr(at_));
        at_ = source_.size();
        break;
      }
      read_tag(tag);
    }
    add(Token::Kind::end, "end of the template");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(str("[", where_, ":", line_, "] ", what));
  }
  bool at(std::string_view text) const { return source_.compare(at_, text.size(), text) == 0; }
  char peek(size_t ahead = 0) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }

  void add(Token::Kind kind, std::string text, Value value = {}) {
    tokens_.push_back({kind, std::move(text), std::move(value), line_});
  }
  void add_text(std::string text) {
    if (!text.empty()) add(Token::Kind::text, std::move(text));
  }
  // Goes on behind what has been read, and counts its lines.
  void move_to(size_t end) {
    line_ += std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                        source_.begin() + static_cast<std::ptrdiff_t>(end), '\n');
    line_starting_ = end > 0 && end > at_ ? source_[end - 1] == '\n' : line_starting_;
    at_ = end;
  }

  size_t next_tag() const {
    for (size_t i = at_; (i = source_.find('{', i)) != std::string::npos; ++i)
      if (i + 1 < source_.size() &&
          std::string_view("{%#").find(source_[i + 1]) != std::string::npos)
        return i;
    return std::string::npos;
  }

  size_t skip_space(size_t from) const {
    while (from < source_.size()) {
      size_t size = character_size(source_, from);
      if (!is_space(source_, from, size)) break;
      from += size;
    }
    return from;
  }

  // What stands before a tag, less the white space that the tag takes.
  std::string before_tag(size_t begin, size_t end, char sign, bool variable) const {
    std::string_view text = std::string_view(source_).substr(begin, end - begin);
    if (sign == '-') return std::string(strip(text, false, true));
    if (sign == '+' || variable) return std::string(text);
    size_t line = text.rfind('\n') + 1;
    bool whole = line > 0 || line_starting_;
    if (whole && line < text.size() && strip(text.substr(line), true, true).empty())
      text = text.substr(0, line);
    return std::string(text);
  }

  void read_tag(size_t tag) {
    char kind = source_[tag + 1];
    size_t inside = tag + 2;
    char sign = inside < source_.size() ? source_[inside] : '\0';
    if (sign == '-' || sign == '+') {
      ++inside;
    } else {
      sign = '\0';
    }
    size_t raw = kind == '%' ? raw_begin(inside) : 0;
    add_text(before_tag(at_, tag, sign, kind == '{'));
    if (raw > 0) {
      move_to(raw);
      return read_raw();
    }
    move_to(inside);
    if (kind == '#') return read_comment();
    add(kind == '{' ? Token::Kind::variable_begin : Token::Kind::block_begin, "{");
    read_code(kind == '{');
  }

  // \s*raw\s*(?:\-%}\s*|%}): behind it, or 0 if it does not stand here.
  size_t raw_begin(size_t from) const {
    from = skip_space(from);
    if (source_.compare(from, 3, "raw") != 0) return 0;
    from = skip_space(from + 3);
    if (source_.compare(from, 2, "%}") == 0) return from + 2;
    return source_.compare(from, 3, "-%}") == 0 ? skip_space(from + 3) : 0;
  }

  // (?:\+END|\-END\s*|END\n?): behind it, or 0 if it does not stand here.
  size_t end_of_tag(size_t from, const char* end) const {
    if (from < source_.size() && source_[from] == '+' && source_.compare(from + 1, 2, end) == 0)
      return from + 3;
    if (from < source_.size() && source_[from] == '-' && source_.compare(from + 1, 2, end) == 0)
      return skip_space(from + 3);
    if (source_.compare(from, 2, end) != 0) return 0;
    from += 2;
    return from < source_.size() && source_[from] == '\n' ? from + 1 : from;
  }

  void read_raw() {
    for (size_t i = at_; (i = source_.find("{%", i)) != std::string::npos; ++i) {
      size_t inside = i + 2;
      char sign = inside < source_.size() ? source_[inside] : '\0';
      if (sign == '-' || sign == '+') ++inside;
      inside = skip_space(inside);
      if (source_.compare(inside, 6, "endraw") != 0) continue;
      size_t end = end_of_tag(skip_space(inside + 6), "%}");
      if (end == 0) continue;
      add_text(before_tag(at_, i, sign, false));
      return move_to(end);
    }
    fail("expected {% endraw %} behind {% raw %}");
  }

  void read_comment() {
    for (size_t i = at_; i < source_.size(); ++i)
      if (size_t end = end_of_tag(i, "#}")) return move_to(end);
    fail("expected #} behind {#");
  }

  void read_code(bool variable) {
    std::string brackets;
    while (at_ < source_.size()) {
      if (brackets.empty()) {
        size_t end = variable ? end_of_variable() : end_of_tag(at_, "%}");
        if (end > 0) {
          add(variable ? Token::Kind::variable_end : Token::Kind::block_end,
              variable ? "}}" : "%}");
          return move_to(end);
        }
      }
      size_t space = skip_space(at_);
      if (space > at_) {
        move_to(space);
      } else if (is_digit(peek())) {
        read_number();
      } else if (is_name_character(peek())) {
        size_t end = at_;
        while (end < source_.size() && is_name_character(source_[end])) ++end;
        add(Token::Kind::name, source_.substr(at_, end - at_));
        move_to(end);
      } else if (peek() == '\'' || peek() == '"') {
        read_string();
      } else {
        read_sign(brackets);
      }
    }
    fail(variable ? "expected }} behind {{" : "expected %} behind {%");
  }

  size_t end_of_variable() const {
    if (at("-}}")) return skip_space(at_ + 3);
    return at("}}") ? at_ + 2 : 0;
  }

  // (\d+_)*\d+ from `from`: behind it.
  size_t digits(size_t from) const {
    while (from < source_.size() && is_digit(source_[from])) {
      while (from < source_.size() && is_digit(source_[from])) ++from;
      if (from + 1 < source_.size() && source_[from] == '_' && is_digit(source_[from + 1])) ++from;
    }
    return from;
  }

  void read_number() {
    size_t end = digits(at_);
    bool real = false;
    auto character = [&](size_t i) { return i < source_.size() ? source_[i] : '\0'; };
    bool behind_dot = at_ > 0 && source_[at_ - 1] == '.';
    if (!behind_dot) {
      if (character(end) == '.' && is_digit(character(end + 1))) {
        real = true;
        end = digits(end + 1);
      }
      size_t exponent = end + 1;
      if (character(exponent) == '+' || character(exponent) == '-') ++exponent;
      if ((character(end) == 'e' || character(end) == 'E') && is_digit(character(exponent))) {
        real = true;
        end = digits(exponent);
      }
    }
    std::string text = source_.substr(at_, end - at_);
    std::erase(text, '_');
    if (is_name_character(character(end)) || (!real && text.size() > 1 && text[0] == '0'))
      fail(str("the number ", shown_number(end), " is not supported; supported are decimal ones"));
    const char* last = text.data() + text.size();
    if (real) {
      double value = 0;
      if (std::from_chars(text.data(), last, value).ec != std::errc{})
        fail(str("the number ", text, " is out of range"));
      add(Token::Kind::constant, text, Value::real(value));
    } else {
      int64_t value = 0;
      if (std::from_chars(text.data(), last, value).ec != std::errc{})
        fail(str("the number ", text, " is larger than 64 bits hold"));
      add(Token::Kind::constant, text, Value::integer(value));
    }
    move_to(end);
  }

  std::string shown_number(size_t end) const {
    while (end < source_.size() && is_name_character(source_[end]) && end < at_ + 40) ++end;
    return source_.substr(at_, end - at_);
  }

  void read_string() {
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != source_[at_])
      end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail("expected the end of a string");
    std::string text = unescaped(std::string_view(source_).substr(at_ + 1, end - at_ - 1));
    add(Token::Kind::constant, "a string", Value::text(text));
    move_to(end + 1);
  }

  std::string unescaped(std::string_view text) const {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
        out += text[i];
        continue;
      }
      char c = text[++i];
      constexpr std::string_view letters = "\\'\"abfnrtv", meanings = "\\'\"\a\b\f\n\r\t\v";
      if (c == '\n') continue;
      if (size_t place = letters.find(c); place != letters.npos) {
        out += meanings[place];
      } else if (c >= '0' && c <= '7') {
        char32_t code = 0;
        size_t end = std::min(i + 3, text.size());
        while (i < end && text[i] >= '0' && text[i] <= '7')
          code = code * 8 + static_cast<char32_t>(text[i++] - '0');
        --i;
        tokenizing::append_utf8(out, code);
      } else if (c == 'x' || c == 'u' || c == 'U') {
        size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        std::string_view hex = text.substr(i + 1, digits);
        uint32_t code = 0;
        auto [stop, error] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
        bool whole = hex.size() == digits && stop == hex.data() + hex.size();
        if (error != std::errc{} || !whole || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
          fail(str("expected ", digits, " hexadecimal digits of a character behind \\", c));
        tokenizing::append_utf8(out, code);
        i += digits;
      } else if (c == 'N') {
        fail("\\N{…} in a string is not supported (write the character itself)");
      } else {
        out += {'\\', c};
      }
    }
    return out;
  }

  void read_sign(std::string& brackets) {
    size_t size = 1;
    for (std::string_view two : {"//", "**", "==", "!=", ">=", "<="})
      if (at(two)) size = 2;
    char c = peek();
    std::string text = source_.substr(at_, size);
    if (size == 1 && std::string_view("+-/*%~[](){}><=.:|,;").find(c) == std::string::npos) {
      size = character_size(source_, at_);
      fail(str("unexpected \"", source_.substr(at_, size), "\""));
    }
    if (c == '(' || c == '[' || c == '{') brackets += c == '(' ? ')' : static_cast<char>(c + 2);
    if (c == ')' || c == ']' || c == '}') {
      if (brackets.empty() || brackets.back() != c) fail(str("unexpected \"", c, "\""));
      brackets.pop_back();
    }
    add(Token::Kind::sign, text);
    move_to(at_ + size);
  }

  std::string source_;
  const std::string& where_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int64_t line_ = 1;
  bool line_starting_ = true;  // what has been read ends in a line end
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, const std::string& where) {
  return Lexer(with_plain_newlines(source), where).run();
}

}  // namespace anneal::jinja
