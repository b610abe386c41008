#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace anneal::tokenizing {

// A part of a text: [begin, end).
struct Span {
  size_t begin = 0, end = 0;
  bool match = false;  // otherwise what lies between matches
};

// What a normalizer or pre-tokenizer looks for: a fixed text or a regular expression in the syntax
// of Oniguruma, of which the part is understood that means the same in PCRE2 or can be translated.
class Pattern {
 public:
  static Pattern fixed(std::string text);
  // Throws Error saying what is not understood.
  static Pattern regex(std::string_view expression);

  // All of `text`, which is valid UTF-8, as matches and what lies between them. Throws Error if
  // matching takes more steps than any sensible expression needs.
  std::vector<Span> find(std::string_view text) const;

 private:
  struct Code;
  std::string fixed_;
  std::string source_;                // of a regular expression
  std::shared_ptr<const Code> code_;  // nothing for a fixed text
};

// The expression in PCRE2's syntax; see Pattern::regex.
std::string translate_regex(std::string_view expression);

}  // namespace anneal::tokenizing
