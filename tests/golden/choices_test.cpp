#include <gtest/gtest.h>
#include <cmath>

#include "anneal/checkpoint/hf_config.hpp"
#include "anneal/train/choice_score.hpp"
#include "anneal/train/engine.hpp"
#include "golden/hf_values.hpp"

namespace anneal {
namespace {

// Questions of both forms, cut at the left too, against transformers with the harness's rules.
TEST(GoldenChoices, LikelihoodsAndAccuracy) {
  auto data = golden::read("choices.json");
  RunConfig config;
  config.model = model_config_from_hf(data["config"].dump(), "choices.json");
  config.train.batch = config.train.micro_batch = 1;
  Tokenizer tokenizer = Tokenizer::bytes();
  std::vector<ChoiceItem> items;
  std::vector<ScoredText> texts;
  std::vector<double> expected;
  for (const auto& record : data["items"]) {
    items.push_back(parse_choice_item(record["line"].get<std::string>(), "line"));
    const ChoiceItem& item = items.back();
    EXPECT_EQ(item.query, record["query"]);
    EXPECT_EQ(item.choices, record["choices"].get<std::vector<std::string>>());
    EXPECT_EQ(item.gold, record["gold"]);
    for (size_t i = 0; i < item.choices.size(); ++i) {
      texts.push_back(tokenise_choice(item, i, tokenizer, config.model.context));
      expected.push_back(record["log_likelihoods"][i]);
    }
  }
  auto lengths = score_lengths(texts, config.model.context);
  EXPECT_GT(lengths.size(), 2u);
  EXPECT_EQ(lengths.back(), config.model.context);
  CpuTarget target;
  Engine engine(config, {.train = false, .evaluate = false, .score_lengths = lengths}, target);
  golden::set_parameters(engine.session(), config.model);
  Session& session = engine.session();
  for (int32_t p : session.module().parameters())
    if (session.module().persistent(p).type.shape.rank() > 1)
      for (float& x : session.persistent(p).as<float>()) x *= data["scale"].get<float>();
  session.refresh();
  auto likelihoods = log_likelihoods(session, texts, lengths);
  ASSERT_EQ(likelihoods.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(likelihoods[i], expected[i], 2e-6 * std::fabs(expected[i])) << "choice " << i;
  ChoiceScores scores = score_choices(items, likelihoods);
  auto same = [](const Fraction& f, const nlohmann::json& record) {
    EXPECT_NEAR(f.value, record["value"].get<double>(), 1e-12);
    EXPECT_NEAR(f.error, record["error"].get<double>(), 1e-12);
  };
  same(scores.accuracy, data["accuracy"]);
  same(scores.accuracy_normalised, data["accuracy_normalised"]);
}

TEST(GoldenChoices, AChoiceMustFitIntoTheContext) {
  ChoiceItem item{.query = "a", .choices = {"bcd", "b"}, .gold = 0, .where = "f:3"};
  EXPECT_EQ(tokenise_choice(item, 1, Tokenizer::bytes(), 4).tokens.size(), 3u);
  EXPECT_EQ(tokenise_choice(item, 0, Tokenizer::bytes(), 4).tokens.size(), 5u);
  EXPECT_THROW(tokenise_choice(item, 0, Tokenizer::bytes(), 3), UsageError);
}

}  // namespace
}  // namespace anneal
