#pragma once

#include <cstddef>
#include <string_view>

namespace anneal::bpe {

// Cuts a text into words by GPT-2's pattern,
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// (Radford et al., "Language Models are Unsupervised Multitask Learners", 2019), where \s is
// Unicode's White_Space. Each maximal run of valid UTF-8 is cut on its own; a byte that is not part
// of a valid character is a word of its own. The words, joined, are the text. Linear time.
class Splitter {
 public:
  // Both cut alike; `pattern_only` asks PCRE2 for every word, otherwise words of ASCII are found by
  // hand, several times faster.
  enum class Method { fast, pattern_only };

  // The text must live as long as the splitter.
  explicit Splitter(std::string_view text, Method method = Method::fast)
      : text_(text), method_(method) {}

  // The next word; empty at the end of the text.
  std::string_view next();

 private:
  std::string_view text_;
  Method method_;
  size_t at_ = 0;   // where the next word starts
  size_t run_ = 0;  // the run of valid UTF-8 around at_: [run_, run_end_)
  size_t run_end_ = 0;
};

}  // namespace anneal::bpe
