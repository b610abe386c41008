#include "anneal/data/tokenizer/splitter.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <memory>

#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer.hpp"
#include "anneal/data/tokenizer/character_sets.hpp"
#include "anneal/data/tokenizer/utf8.hpp"

namespace anneal {
namespace bpe {
namespace {

constexpr char kPattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?[" ANNEAL_LETTERS "]+| ?[" ANNEAL_NUMBERS
    "]+| ?[^" ANNEAL_WHITE_SPACE ANNEAL_LETTERS ANNEAL_NUMBERS "]+|[" ANNEAL_WHITE_SPACE
    "]+(?![^" ANNEAL_WHITE_SPACE "])|[" ANNEAL_WHITE_SPACE "]+";

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct FreeMatch {
  void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
};

std::string pcre2_message(int code) {
  char text[256] = "";
  pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(text), sizeof text);
  return text;
}

const pcre2_code* pattern() {
  static const std::unique_ptr<pcre2_code, FreeCode> compiled = [] {
    int error = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(kPattern), PCRE2_ZERO_TERMINATED,
                                     PCRE2_UTF, &error, &offset, nullptr);
    if (!code) throw Error("[tokenizer] PCRE2 refuses the pattern: " + pcre2_message(error));
    // Where there is no JIT compiler, pcre2_match interprets the pattern: slower, the same words.
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    return std::unique_ptr<pcre2_code, FreeCode>(code);
  }();
  return compiled.get();
}

// Where the word that starts at run[at] ends, by the pattern. `run` is valid UTF-8.
size_t pattern_word_end(std::string_view run, size_t at) {
  thread_local std::unique_ptr<pcre2_match_data, FreeMatch> match(
      pcre2_match_data_create(1, nullptr));
  if (!match) throw std::bad_alloc();
  int found = pcre2_match(pattern(), reinterpret_cast<PCRE2_SPTR>(run.data()), run.size(), at,
                          PCRE2_NO_UTF_CHECK, match.get(), nullptr);
  if (found < 0) throw Error("[tokenizer] PCRE2 can't match a text: " + pcre2_message(found));
  const PCRE2_SIZE* span = pcre2_get_ovector_pointer(match.get());
  ANNEAL_ASSERT(span[0] == at && span[1] > at, "the pattern must match at every character");
  return span[1];
}

enum Kind : uint8_t { other, letter, digit, space, not_ascii };

constexpr std::array<Kind, 256> make_kinds() {
  std::array<Kind, 256> kinds{};
  for (int c = 0; c < 256; ++c) {
    if (c >= 0x80) kinds[c] = not_ascii;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) kinds[c] = letter;
    if (c >= '0' && c <= '9') kinds[c] = digit;
    if ((c >= '\t' && c <= '\r') || c == ' ') kinds[c] = space;
  }
  return kinds;
}
constexpr std::array<Kind, 256> kKinds = make_kinds();

// The same as pattern_word_end if only ASCII decides it, otherwise 0.
size_t ascii_word_end(std::string_view run, size_t at) {
  auto kind = [&](size_t i) { return kKinds[static_cast<unsigned char>(run[i])]; };
  size_t size = run.size(), start = at;
  if (run[at] == '\'' && at + 1 < size) {
    char c = run[at + 1], d = at + 2 < size ? run[at + 2] : '\0';
    if (c == 's' || c == 't' || c == 'm' || c == 'd') return at + 2;
    if ((c == 'r' && d == 'e') || (c == 'v' && d == 'e') || (c == 'l' && d == 'l')) return at + 3;
  }
  if (run[at] == ' ' && at + 1 < size && kind(at + 1) != space) start = at + 1;
  Kind first = kind(start);
  if (first == not_ascii) return 0;
  size_t end = start + 1;
  while (end < size && kind(end) == first) ++end;
  if (end < size && kind(end) == not_ascii) return 0;
  // The last of several white-space characters is left for what follows them.
  if (first == space && end < size && end - at > 1) --end;
  return end;
}

}  // namespace

std::string_view Splitter::next() {
  if (at_ == text_.size()) return {};
  if (at_ == run_end_) {
    run_ = at_;
    run_end_ = at_ + valid_utf8_prefix(text_.substr(at_));
    if (run_end_ == at_) {
      run_end_ = ++at_;
      return text_.substr(at_ - 1, 1);
    }
  }
  std::string_view run = text_.substr(run_, run_end_ - run_);
  size_t start = at_ - run_, end = 0;
  if (method_ == Method::fast) end = ascii_word_end(run, start);
  if (end == 0) end = pattern_word_end(run, start);
  at_ = run_ + end;
  return run.substr(start, end - start);
}

}  // namespace bpe

// A word never has white space after another character, nor does one look beyond white space that
// follows another character, so between such two the text can be cut.
size_t last_word_cut(std::string_view text) {
  using namespace bpe;
  for (size_t at = text.size(); at-- > 1;) {
    if (kKinds[static_cast<unsigned char>(text[at])] != space) continue;
    size_t before = at - 1;
    while (before > 0 && at - before < 4 && (text[before] & 0xC0) == 0x80) --before;
    Utf8Char c = utf8_char(text, before);
    bool whole = c.bytes == static_cast<int>(at - before);
    if (!whole || !is_white_space(c.code)) return at;
  }
  return 0;
}

}  // namespace anneal
