#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace anneal {

struct SamplingOptions {
  double temperature = 1;     // 0: greedy
  int top_k = 0;              // keep the k largest; 0: all
  double top_p = 1;           // keep the smallest set whose probability reaches p; 1: all
  double repeat_penalty = 1;  // of tokens among the last repeat_last_n; 1: none
  int repeat_last_n = 64;     // 0: none; -1: the whole history
  uint64_t seed = 0;
};

// Throws UsageError naming the option that makes no sense.
void check_sampling_options(const SamplingOptions& options);

// Chooses the next token from logits as Hugging Face transformers' generate() does, in its order:
// repetition penalty (score < 0 ? score·p : score/p), temperature, top-k, top-p, then a draw.
// Ties at the edge of top-k are all kept, as there; among equal probabilities at the edge of top-p
// the lower id stays. The penalty is applied in FP32, probabilities are FP64. Greedy takes the
// largest logit after the penalty, the lowest id among equals.
//
// The draw for position n of a text is a function of (seed, n, probabilities) alone, n being the
// length of the history, so that a text can be continued anywhere. Nothing is allocated after
// construction.
class Sampler {
 public:
  // Throws UsageError as check_sampling_options does.
  Sampler(const SamplingOptions& options, int64_t vocab_size);

  // `logits`: vocab_size numbers; -inf excludes a token. `history`: all tokens so far, the prompt
  // included; its length is the position. Throws Error if a logit is NaN or +inf or none is left.
  int32_t next(std::span<const float> logits, std::span<const int32_t> history);

 private:
  struct Candidate {
    double score;
    int32_t id;
  };
  auto end() { return candidates_.begin() + static_cast<std::ptrdiff_t>(kept_); }
  void load(std::span<const float> logits, std::span<const int32_t> history);
  int32_t greedy() const;
  void keep_top_k();
  void keep_top_p();
  int32_t draw(uint64_t position) const;

  SamplingOptions options_;
  std::vector<Candidate> candidates_;  // all tokens; the first kept_ are in play
  size_t kept_ = 0;
  std::vector<uint8_t> penalised_;  // one flag a token, all 0 between calls
};

}  // namespace anneal
