#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "anneal/data/choice_task.hpp"
#include "anneal/data/tokenizer.hpp"
#include "anneal/runtime/executable.hpp"

namespace anneal {

// A text of which the end is scored.
struct ScoredText {
  std::vector<int32_t> tokens;
  int64_t scored = 0;  // tokens at the end, at least 1 and fewer than all
};

// The query with " " and one of the choices, which is scored, in tokens as lm-evaluation-harness
// has them: those of the query alone, then what the whole has more. White space at the end of the
// query counts as the beginning of what is scored; special tokens are read, none are added. What is
// longer than the context and one more is cut at the left. Throws UsageError naming item.where for
// a choice that adds no token or more tokens than the context.
ScoredText tokenise_choice(const ChoiceItem& item, size_t choice, const Tokenizer& tokenizer,
                           int64_t context);

// The lengths of the "score.T" programs that these texts need, ascending: few enough to share, near
// enough to waste little.
std::vector<int64_t> score_lengths(std::span<const ScoredText> texts, int64_t context);

// Σ log p(token | all before it) over the scored tokens, natural logarithm, of each text, by a
// session that has the programs of `lengths`. `on_text` is called with the number of texts done.
// Throws Error if one is not finite.
std::vector<double> log_likelihoods(Session& session, std::span<const ScoredText> texts,
                                    std::span<const int64_t> lengths,
                                    const std::function<void(size_t)>& on_text = {});

// A fraction of the questions, and its standard error: that of a mean, by the sample's variance;
// NaN for a single question.
struct Fraction {
  double value = 0;
  double error = 0;
};

struct ChoiceScores {
  // Where the right choice is the likeliest, the first among equals: by its log-likelihood, or by
  // that over the choice's length in bytes.
  Fraction accuracy, accuracy_normalised;
};
// `likelihoods`: of the choices of all items, one after the other. There is at least one item.
ChoiceScores score_choices(std::span<const ChoiceItem> items, std::span<const double> likelihoods);

}  // namespace anneal
