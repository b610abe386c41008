#include "anneal/train/sampler.hpp"

#include <algorithm>
#include <cmath>

#include "anneal/base/error.hpp"
#include "anneal/base/rng.hpp"

namespace anneal {
namespace {

// The upper half of Philox's counter: this stream of random numbers and no other.
constexpr uint64_t sampling_stream = 0x53616D706C696E67;

void require(bool ok, const char* option, const char* expected, double got) {
  if (!ok) throw UsageError(str("[", option, "] expected ", expected, ", got ", got));
}

// Descending scores, the lower id first among equals.
constexpr auto before = [](const auto& a, const auto& b) {
  return a.score != b.score ? a.score > b.score : a.id < b.id;
};

}  // namespace

void check_sampling_options(const SamplingOptions& o) {
  require(std::isfinite(o.temperature) && o.temperature >= 0, "--temperature",
          "a number >= 0 (0: greedy)", o.temperature);
  require(o.top_k >= 0, "--top-k", "a whole number >= 0 (0: all tokens)", o.top_k);
  require(o.top_p > 0 && o.top_p <= 1, "--top-p", "a number in (0, 1] (1: all tokens)", o.top_p);
  require(std::isfinite(o.repeat_penalty) && o.repeat_penalty > 0, "--repeat-penalty",
          "a number > 0 (1: no penalty)", o.repeat_penalty);
  require(o.repeat_last_n >= -1, "--repeat-last-n",
          "a whole number >= -1 (0: none, -1: the whole text)", o.repeat_last_n);
}

Sampler::Sampler(const SamplingOptions& options, int64_t vocab_size) : options_(options) {
  check_sampling_options(options);
  ANNEAL_ASSERT(vocab_size > 0, "a sampler needs a vocabulary");
  candidates_.resize(static_cast<size_t>(vocab_size));
  penalised_.resize(static_cast<size_t>(vocab_size));
}

int32_t Sampler::next(std::span<const float> logits, std::span<const int32_t> history) {
  ANNEAL_ASSERT(logits.size() == candidates_.size(), "got ", logits.size(), " logits for ",
                candidates_.size(), " tokens");
  load(logits, history);
  if (options_.temperature == 0) return greedy();
  if (options_.top_k > 0 && static_cast<size_t>(options_.top_k) < kept_) keep_top_k();
  // Scores become weights, exp((score - largest)/temperature): softmax without its divisor.
  double largest = std::max_element(candidates_.begin(), end(), [](auto& a, auto& b) {
                     return a.score < b.score;
                   })->score;
  for (auto c = candidates_.begin(); c != end(); ++c)
    c->score = std::exp((c->score - largest) / options_.temperature);
  if (options_.top_p < 1) keep_top_p();
  return draw(history.size());
}

// Fills the candidates, in the order of their ids, with the penalised logits.
void Sampler::load(std::span<const float> logits, std::span<const int32_t> history) {
  auto recent = history;
  if (options_.repeat_penalty == 1) recent = {};
  if (options_.repeat_last_n >= 0)
    recent = recent.last(std::min(recent.size(), static_cast<size_t>(options_.repeat_last_n)));
  for (int32_t id : recent) {
    ANNEAL_ASSERT(id >= 0 && static_cast<size_t>(id) < penalised_.size(), "token ", id);
    penalised_[static_cast<size_t>(id)] = 1;
  }
  // In FP32, as transformers: the argmax must be the same.
  const float penalty = static_cast<float>(options_.repeat_penalty);
  kept_ = logits.size();
  bool any = false;
  int32_t bad = -1;
  for (size_t i = 0; i < logits.size(); ++i) {
    float score = logits[i];
    if (penalised_[i]) score = score < 0 ? score * penalty : score / penalty;
    if (!(score < INFINITY) && bad < 0) bad = static_cast<int32_t>(i);
    any |= score > -INFINITY;
    candidates_[i] = {score, static_cast<int32_t>(i)};
  }
  for (int32_t id : recent) penalised_[static_cast<size_t>(id)] = 0;
  if (bad >= 0)
    throw Error(str("[sampling] the logit of token ", bad, " at position ", history.size(), " is ",
                    logits[static_cast<size_t>(bad)],
                    ", expected a finite number (the model's weights are not finite or its input "
                    "overflows the precision)"));
  if (!any)
    throw Error(str("[sampling] every logit at position ", history.size(),
                    " is -inf, expected at least one token that may come next"));
}

int32_t Sampler::greedy() const {
  return std::min_element(candidates_.begin(), candidates_.end(), before)->id;
}

void Sampler::keep_top_k() {
  auto last = candidates_.begin() + options_.top_k - 1;
  std::nth_element(candidates_.begin(), last, end(), before);
  double least = last->score;
  auto edge = std::partition(last + 1, end(), [=](const auto& c) { return c.score == least; });
  kept_ = static_cast<size_t>(edge - candidates_.begin());
  std::sort(candidates_.begin(), end(), before);
}

// Keeps the first candidates, by descending weight, until their sum reaches top_p of the total.
// Sorts no further than it must: the largest few of a vocabulary mostly suffice.
void Sampler::keep_top_p() {
  double total = 0;
  for (auto c = candidates_.begin(); c != end(); ++c) total += c->score;
  const double enough = options_.top_p * total;
  double sum = 0;
  size_t sorted = 0;
  for (size_t i = 0; i < kept_; ++i) {
    if (i == sorted) {
      sorted = std::min(kept_, std::max<size_t>(64, 4 * sorted));
      auto from = candidates_.begin() + static_cast<std::ptrdiff_t>(i);
      auto to = candidates_.begin() + static_cast<std::ptrdiff_t>(sorted);
      if (to != end()) std::nth_element(from, to, end(), before);
      std::sort(from, to, before);
    }
    if (i > 0 && sum >= enough) {
      kept_ = i;
      return;
    }
    sum += candidates_[i].score;
  }
}

int32_t Sampler::draw(uint64_t position) const {
  double total = 0;
  for (size_t i = 0; i < kept_; ++i) total += candidates_[i].score;
  auto words = philox(options_.seed, position, sampling_stream);
  const double target = uniform_double(words[0], words[1]) * total;
  double sum = 0;
  for (size_t i = 0; i < kept_; ++i) {
    sum += candidates_[i].score;
    if (sum > target) return candidates_[i].id;
  }
  // u·total rounded up to the total: the last one that can be drawn.
  size_t i = kept_ - 1;
  while (candidates_[i].score == 0) --i;
  return candidates_[i].id;
}

}  // namespace anneal
