#include "anneal/data/tokenizer/pattern.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "anneal/base/error.hpp"

namespace anneal::tokenizing {
namespace {

// Steps of one match; a word of ordinary text takes some dozens.
constexpr uint32_t kMostSteps = 10'000'000;

struct FreeContext {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
struct FreeMatch {
  void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
};

std::string message(int code) {
  char text[256] = "";
  pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(text), sizeof text);
  return text;
}

std::vector<Span> find_fixed(std::string_view text, std::string_view wanted) {
  std::vector<Span> spans;
  size_t done = 0;
  while (!wanted.empty()) {
    size_t found = text.find(wanted, done);
    if (found == text.npos) break;
    if (found > done) spans.push_back({done, found, false});
    done = found + wanted.size();
    spans.push_back({found, done, true});
  }
  if (done < text.size()) spans.push_back({done, text.size(), false});
  return spans;
}

}  // namespace

struct Pattern::Code {
  pcre2_code* code = nullptr;
  std::unique_ptr<pcre2_match_context, FreeContext> limits;

  explicit Code(const std::string& pattern) : limits(pcre2_match_context_create(nullptr)) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                         PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error,
                         &offset, nullptr);
    if (!code)
      throw Error(str("the regular expression is not supported: PCRE2 says ", message(error)));
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    if (!limits) throw std::bad_alloc();
    pcre2_set_match_limit(limits.get(), kMostSteps);
    pcre2_set_heap_limit(limits.get(), 64 << 10);  // KiB
  }
  ~Code() { pcre2_code_free(code); }
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
};

Pattern Pattern::fixed(std::string text) {
  Pattern pattern;
  pattern.fixed_ = std::move(text);
  return pattern;
}

Pattern Pattern::regex(std::string_view expression) {
  Pattern pattern;
  pattern.source_ = expression;
  pattern.code_ = std::make_shared<const Code>(translate_regex(expression));
  return pattern;
}

std::vector<Span> Pattern::find(std::string_view text) const {
  if (!code_) return find_fixed(text, fixed_);
  thread_local std::unique_ptr<pcre2_match_data, FreeMatch> match(
      pcre2_match_data_create(1, nullptr));
  if (!match) throw std::bad_alloc();
  std::vector<Span> spans;
  size_t done = 0;
  bool matched = false;  // there is a match that ends at `done`
  for (size_t from = 0; from <= text.size();) {
    auto run = [&](uint32_t options) {
      return pcre2_match(code_->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                         PCRE2_NO_UTF_CHECK | options, match.get(), code_->limits.get());
    };
    int found = run(0);
    // The compiled form has a small stack; the interpreter takes what the limits allow.
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = run(PCRE2_NO_JIT);
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0)
      throw Error(str("[tokenizer] the regular expression ", source_.substr(0, 200),
                      " can't be matched: ", message(found)));
    const PCRE2_SIZE* span = pcre2_get_ovector_pointer(match.get());
    size_t begin = span[0], end = span[1];
    if (begin == end && matched && done == end) {  // an empty match right after the last match
      from = end + 1;
      while (from < text.size() && (text[from] & 0xC0) == 0x80) ++from;
      continue;
    }
    if (begin > done) spans.push_back({done, begin, false});
    spans.push_back({begin, end, true});
    from = done = end;
    matched = true;
  }
  if (done < text.size()) spans.push_back({done, text.size(), false});
  return spans;
}

}  // namespace anneal::tokenizing
