#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer/character_sets.hpp"
#include "anneal/data/tokenizer/pattern.hpp"

namespace anneal::tokenizing {
namespace {

constexpr size_t kLongestExpression = 8192;

// \d, with what Unicode 15 and 16 added.
#define DIGITS                                                                                  \
  "\\p{Nd}\\x{10D40}-\\x{10D49}\\x{116D0}-\\x{116E3}\\x{11BF0}-\\x{11BF9}\\x{11F50}-\\x{11F59}" \
  "\\x{16130}-\\x{16139}\\x{16D70}-\\x{16D79}\\x{1CCF0}-\\x{1CCF9}\\x{1E4F0}-\\x{1E4F9}"        \
  "\\x{1E5F1}-\\x{1E5FA}"

// Oniguruma's \w: what is alphabetic, marks, digits and connectors.
constexpr char kWord[] = ANNEAL_LETTERS DIGITS
    "\\p{M}\\p{Nl}\\p{Pc}\\x{24B6}-\\x{24E9}\\x{1F130}-\\x{1F149}\\x{1F150}-\\x{1F169}"
    "\\x{1F170}-\\x{1F189}"
    // Marks of Unicode 15 and 16.
    "\\x{897}\\x{CF3}\\x{ECE}\\x{10D69}-\\x{10D6D}\\x{10EFC}-\\x{10EFF}\\x{113B8}-\\x{113C0}"
    "\\x{113C2}\\x{113C5}\\x{113C7}-\\x{113CA}\\x{113CC}-\\x{113D0}\\x{113D2}\\x{113E1}-\\x{113E2}"
    "\\x{11241}\\x{11F00}-\\x{11F01}\\x{11F03}\\x{11F34}-\\x{11F3A}\\x{11F3E}-\\x{11F42}\\x{11F5A}"
    "\\x{13440}\\x{13447}-\\x{13455}\\x{1611E}-\\x{1612F}\\x{1E08F}\\x{1E4EC}-\\x{1E4EF}"
    "\\x{1E5EE}-\\x{1E5EF}";

// Outside of classes Oniguruma looks up characters below 256 in a table of its own, which counts
// these as parts of words too: ² ³ ¹ ¼ ½ ¾.
constexpr char kWordBelow256[] = "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}";

class Translator {
 public:
  explicit Translator(std::string_view in) : in_(in) {}

  std::string run() {
    if (in_.size() > kLongestExpression)
      refuse(str("it is longer than ", kLongestExpression, " bytes"));
    while (at_ < in_.size()) step();
    if (in_class_) refuse("a [ is not closed");
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(str("the regular expression is not supported: ", why, ", at byte ", at_));
  }
  char peek(size_t ahead) const { return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0'; }
  void copy(size_t bytes) {
    out_ += in_.substr(at_, bytes);
    at_ += bytes;
  }

  void step() {
    char c = in_[at_];
    if (c == '\\') return escape();
    if (in_class_) return member(c);
    if (c == '[') {
      in_class_ = true;
      copy(peek(1) == '^' ? 2 : 1);
      if (peek(0) == ']') refuse("] as the first of a class (write \\])");
      return;
    }
    if (c == '(' && peek(1) == '?') return group();
    if (c == '(' && peek(1) == '*') refuse("(*");
    if (c == '{' && peek(1) == ',') {
      out_ += "{0,";
      at_ += 2;
      return;
    }
    // There, Oniguruma repeats the repetition; PCRE2 makes it possessive.
    if (c == '}' && peek(1) == '+') refuse("+ after }");
    copy(1);
  }

  void member(char c) {
    if (c == '[') refuse("[ inside a class (write \\[ for the character)");
    if (c == '&' && peek(1) == '&') refuse("&& inside a class");
    if (c == ']') in_class_ = false;
    copy(1);
  }

  void group() {
    for (std::string_view start : {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:"})
      if (in_.substr(at_).starts_with(start)) return copy(start.size());
    refuse("a group that is none of (…) (?:…) (?=…) (?!…) (?<=…) (?<!…) (?>…) (?i:…)");
  }

  void set(std::string_view members, bool negated) {
    if (in_class_ && negated) refuse("a negated class inside a class");
    out_ += in_class_ ? std::string(members) : str(negated ? "[^" : "[", members, "]");
  }

  void escape() {
    char c = peek(1);
    if (c == 'p' || c == 'P') return property(c == 'P');
    at_ += 2;
    switch (c) {
      case 's':
        return set(ANNEAL_WHITE_SPACE, false);
      case 'S':
        return in_class_ ? void(out_ += "\\S") : set(ANNEAL_WHITE_SPACE, true);
      case 'd':
        return set(DIGITS, false);
      case 'D':
        return set(DIGITS, true);
      case 'w':
      case 'W':
        return set(in_class_ ? kWord : str(kWord, kWordBelow256), c == 'W');
      default:
        break;
    }
    static constexpr std::string_view alike = "ntrfaeAz";
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bool digit = c >= '0' && c <= '9';
    if (c == '\0' || digit || (letter && c != 'x' && c != 'u' && alike.find(c) == alike.npos)) {
      at_ -= 2;
      refuse(str("the escape \\", c == '\0' ? ' ' : c));
    }
    if (c != 'u') {
      out_ += '\\';
      out_ += c;
    } else {
      if (in_.size() - at_ < 4) refuse("\\u without four digits");
      out_ += "\\x{" + std::string(in_.substr(at_, 4)) + "}";
      at_ += 4;
    }
  }

  void property(bool negated) {
    size_t close = in_.find('}', at_);
    if (peek(2) != '{' || close == in_.npos) refuse("\\p without {…}");
    std::string name(in_.substr(at_ + 3, close - at_ - 3));
    if (name.starts_with('^')) {
      negated = !negated;
      name.erase(0, 1);
    }
    at_ = close + 1;
    if (name == "L" || name == "Letter") {
      set(ANNEAL_LETTERS, negated);
    } else if (name == "N" || name == "Number") {
      set(ANNEAL_NUMBERS, negated);
    } else {
      out_ += str(negated ? "\\P{" : "\\p{", name, "}");
    }
  }

  std::string_view in_;
  std::string out_;
  size_t at_ = 0;
  bool in_class_ = false;
};

}  // namespace

std::string translate_regex(std::string_view expression) { return Translator(expression).run(); }

}  // namespace anneal::tokenizing
