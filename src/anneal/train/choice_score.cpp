#include "anneal/train/choice_score.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "anneal/base/error.hpp"
#include "anneal/data/jinja/text.hpp"
#include "anneal/train/stepper.hpp"

namespace anneal {
namespace {

int64_t inputs_of(const ScoredText& text) { return static_cast<int64_t>(text.tokens.size()) - 1; }

// At most an eighth longer above 128 tokens, at most 15 tokens longer below.
int64_t program_length(int64_t tokens, int64_t context) {
  int64_t step = 16;
  while (tokens > step * 8) step *= 2;
  return std::min(context, (tokens + step - 1) / step * step);
}

double log_likelihood(Executable& program, int64_t length, const ScoredText& text) {
  auto tokens = program.input("tokens").as<int32_t>();
  auto targets = program.input("targets").as<int32_t>();
  int64_t inputs = inputs_of(text);
  for (int64_t i = 0; i < length; ++i) {
    size_t at = static_cast<size_t>(i);
    bool scored = i < inputs && i >= inputs - text.scored;
    // What is behind the text changes nothing in it.
    tokens[at] = i < inputs ? text.tokens[at] : 0;
    targets[at] = scored ? text.tokens[at + 1] : -1;
    if (program.has_input("positions"))
      program.input("positions").as<int32_t>()[at] = static_cast<int32_t>(i);
  }
  set_scalar(program, "inv_valid", 1.0f);
  program.run();
  return -scalar_output(program, "loss");
}

Fraction fraction(int64_t right, size_t questions) {
  double n = static_cast<double>(questions), p = static_cast<double>(right) / n;
  return {p, std::sqrt(p * (1 - p) / (n - 1))};
}

}  // namespace

ScoredText tokenise_choice(const ChoiceItem& item, size_t choice, const Tokenizer& tokenizer,
                           int64_t context) {
  std::string_view query = jinja::strip(item.query, false, true);
  auto before = tokenizer.encode(query, {.read_special = true});
  auto whole = tokenizer.encode(item.query + " " + item.choices[choice], {.read_special = true});
  ScoredText text;
  text.scored = static_cast<int64_t>(whole.size()) - static_cast<int64_t>(before.size());
  if (text.scored < 1 || text.scored > context || before.empty())
    throw UsageError(str("[", item.where, "] expected a choice of 1 to ", context,
                         " tokens, the context, got ", std::max<int64_t>(0, text.scored), " in ",
                         "choice ", choice, " (leave the question out)"));
  text.tokens = before;
  text.tokens.insert(text.tokens.end(), whole.end() - text.scored, whole.end());
  if (inputs_of(text) > context)
    text.tokens.erase(text.tokens.begin(), text.tokens.begin() + (inputs_of(text) - context));
  return text;
}

std::vector<int64_t> score_lengths(std::span<const ScoredText> texts, int64_t context) {
  std::set<int64_t> lengths;
  for (const ScoredText& text : texts) lengths.insert(program_length(inputs_of(text), context));
  return {lengths.begin(), lengths.end()};
}

std::vector<double> log_likelihoods(Session& session, std::span<const ScoredText> texts,
                                    std::span<const int64_t> lengths,
                                    const std::function<void(size_t)>& on_text) {
  std::vector<double> result;
  for (const ScoredText& text : texts) {
    auto length = std::lower_bound(lengths.begin(), lengths.end(), inputs_of(text));
    ANNEAL_ASSERT(length != lengths.end());
    Executable& program = session.program("score." + std::to_string(*length));
    result.push_back(log_likelihood(program, *length, text));
    if (!std::isfinite(result.back()))
      throw Error("the model gives a text a likelihood that is not finite (are its weights?)");
    if (on_text) on_text(result.size());
  }
  return result;
}

ChoiceScores score_choices(std::span<const ChoiceItem> items, std::span<const double> likelihoods) {
  int64_t right = 0, right_normalised = 0;
  for (const ChoiceItem& item : items) {
    size_t choices = item.choices.size(), best = 0, best_normalised = 0;
    auto normalised = [&](size_t i) {
      return likelihoods[i] / static_cast<double>(item.choices[i].size());
    };
    for (size_t i = 1; i < choices; ++i) {
      if (likelihoods[i] > likelihoods[best]) best = i;
      if (normalised(i) > normalised(best_normalised)) best_normalised = i;
    }
    right += best == item.gold;
    right_normalised += best_normalised == item.gold;
    likelihoods = likelihoods.subspan(choices);
  }
  return {fraction(right, items.size()), fraction(right_normalised, items.size())};
}

}  // namespace anneal
