#include "anneal/monitor/run_comparison.hpp"

#include <gtest/gtest.h>
#include <cmath>

#include "anneal/monitor/testing/made_run.hpp"

namespace anneal {
namespace {

struct Compared {
  explicit Compared(const std::vector<MadeRun>& made) {
    for (const MadeRun& run : made) runs.push_back(run.record());
    label_runs(runs);
    for (const RunRecord& run : runs) summaries.push_back(summarise_run(run));
    findings = conclude(runs, summaries);
  }
  std::string conclusion() const {
    for (const Finding& finding : findings)
      if (finding.kind == Finding::Kind::conclusion) return finding.text;
    return {};
  }
  std::string cause(const std::string& run) const {
    for (const Finding& finding : findings)
      if (finding.topic == "cause" && finding.run == run) return finding.text;
    return {};
  }
  RunComparison comparison(size_t run = 1) const { return compare_runs(runs, summaries, run, 0); }

  std::vector<RunRecord> runs;
  std::vector<RunSummary> summaries;
  std::vector<Finding> findings;
};

MadeRun named(const char* name) {
  MadeRun made;
  made.name = std::string(name);
  return made;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(RunComparison, EqualRunsShowNoDifference) {
  Compared c({named("a"), named("b")});
  EXPECT_EQ(
      c.conclusion(),
      "b is as fast as a as far as these runs can show (10.10 ms against 10.10 ms a step; "
      "differences below 2.0 % are within their spread), and ends at the same validation loss "
      "(2.1150 against 2.1150, ±0 %; differences below 0.50 % are noise): nothing here speaks "
      "for one of them.");
  EXPECT_TRUE(contains(c.cause("b"), "have the same settings"));
}

TEST(RunComparison, AFasterRunWithTheSameLossIsChosenAndItsSettingNamed) {
  MadeRun b = named("b");
  b.step_seconds = 0.01 / 1.8;
  b.validation = [](int64_t step) { return 2.102 + 3.0 / static_cast<double>(step); };
  b.set("train.precision", "\"bf16\"").set("name", "\"b\"").set("checkpoint.every", "7");
  Compared c({named("a"), b});
  EXPECT_EQ(c.conclusion(),
            "b is 1.80× as fast per step as a (5.61 ms against 10.10 ms), and ends at the same "
            "validation loss (2.1170 against 2.1150, +0.09 %; differences below 0.50 % are noise): "
            "choose b.");
  EXPECT_EQ(c.cause("b"),
            "b and a differ in one setting, train.precision (\"bf16\" and \"fp32\"), so the "
            "differences are its effect: here \"bf16\" pays, by being 1.80× as fast.");
}

TEST(RunComparison, ASpeedWithinTheSpreadOfTheStepsDoesNotShow) {
  MadeRun a = named("a"), b = named("b");
  a.slowdown = b.slowdown = [](int64_t step) { return 1 + 0.5 * (step * 7919 % 101) / 100.0; };
  b.step_seconds = 0.009;
  Compared c({a, b});
  EXPECT_NEAR(*c.comparison().speed, 1 / 0.9, 1e-9);
  EXPECT_FALSE(c.comparison().speed_shows);
}

TEST(RunComparison, WhereSpeedVariesWidelyItIsNotCompared) {
  MadeRun a = named("a"), b = named("b");
  a.slowdown = [](int64_t step) { return step > 100 ? 3.0 : 1.0; };
  b.step_seconds = 0.012;
  Compared c({a, b});
  EXPECT_NEAR(c.comparison().speed_threshold, 2, 1e-9);
  EXPECT_TRUE(contains(c.conclusion(),
                       "The speed of b and a cannot be compared, as it varies by up to "
                       "200.0 % by itself"))
      << c.conclusion();
  EXPECT_TRUE(contains(c.conclusion(), " a step); b ends at the same validation loss"));
}

TEST(RunComparison, RepeatsSayWhatChanceMakes) {
  MadeRun b = named("b"), again = named("again");
  b.step_seconds = 0.009;
  b.validation = [](int64_t) { return 2.2; };
  b.set("train.precision", "\"bf16\"");
  EXPECT_TRUE(Compared({named("a"), b}).comparison().speed_shows);
  EXPECT_TRUE(Compared({named("a"), b}).comparison().loss_shows);
  again.step_seconds = 0.0125;
  again.validation = [](int64_t) { return 2.25; };
  again.set("data.validation", "[\"v\"]").set("train.seed", "2");
  MadeRun a = named("a");
  a.set("data.validation", "[\"v\"]");
  b.set("data.validation", "[\"v\"]");
  Compared c({a, b, again});
  EXPECT_NEAR(c.comparison().speed_threshold, 0.25, 1e-9);
  EXPECT_FALSE(c.comparison().speed_shows);
  EXPECT_FALSE(c.comparison().loss_shows);
  EXPECT_TRUE(contains(c.cause("again"), "differ in train.seed only (2 and 1)"));
}

TEST(RunComparison, SpeedAgainstQualityIsNotDecidedButPutAtEqualTime) {
  MadeRun b = named("b");
  b.step_seconds = 0.005;
  b.validation = [](int64_t step) { return 2.4 + 3.0 / static_cast<double>(step); };
  b.set("model.width", "8").set("model.layers", "1");
  Compared c({named("a"), b});
  EXPECT_TRUE(contains(c.conclusion(),
                       "ends at a higher validation loss (2.4150 against 2.1150, +14.2 %)"));
  EXPECT_TRUE(contains(c.conclusion(),
                       "It is speed against quality: choose a for the loss after "
                       "equally many tokens, b for the pace. After the same 1.01 s"))
      << c.conclusion();
  EXPECT_EQ(c.cause("b"),
            "b and a differ in 2 settings (model.width and model.layers), whose effects these runs "
            "cannot tell apart.");
}

TEST(RunComparison, RunsOfDifferentLengthsMeetWhereBothHaveBeen) {
  MadeRun b = named("b");
  b.steps = 100;
  b.status = "";
  Compared c({named("a"), b});
  EXPECT_EQ(c.comparison().at_tokens, 100000);
  EXPECT_NEAR(*c.comparison().value, *c.comparison().against_value, 1e-12);
  EXPECT_TRUE(
      contains(c.conclusion(), "after 100k tokens, the most that both have, is at the same"));
}

TEST(RunComparison, LossesOfDifferentTextAreNotCompared) {
  MadeRun b = named("b");
  b.set("train.seed", "2");  // picks other documents for validation
  EXPECT_TRUE(contains(Compared({named("a"), b}).conclusion(),
                       "their validation losses are of different text (train.seed differs"));
  b = named("b");
  b.set("data.tokenizer", "\"byte\"");
  EXPECT_EQ(Compared({named("a"), b}).comparison().measure, "bits per byte");
  b = named("b");
  b.eval_every = 0;
  EXPECT_EQ(Compared({named("a"), b}).comparison().measure, "training loss");
  b = named("b");
  b.set("train.batch", "8");
  EXPECT_TRUE(contains(Compared({named("a"), b}).conclusion(), "Mind that"));
}

TEST(RunComparison, ADivergedRunIsNeverChosen) {
  MadeRun b = named("b");
  b.step_seconds = 0.001;
  b.loss = [](int64_t step) { return step < 50 ? 2.0 : INFINITY; };
  b.set("optimizer.lr", "1.0");
  Compared c({named("a"), b});
  EXPECT_EQ(c.conclusion(), "b diverged after step 50 and a did not: choose a.");
  EXPECT_TRUE(contains(Compared({b, b}).conclusion(), "both diverged."));
}

TEST(RunComparison, OfManyTheFastestOfTheBestIsChosen) {
  MadeRun worse = named("worse"), best = named("best"), fast = named("fast");
  worse.validation = [](int64_t) { return 3.0; };
  worse.step_seconds = 0.001;
  best.validation = [](int64_t) { return 2.0; };
  fast.validation = [](int64_t) { return 2.001; };
  fast.step_seconds = 0.005;
  for (MadeRun* run : {&worse, &best, &fast}) run->set("model.width", run->name);
  Compared c({worse, best, fast});
  EXPECT_EQ(
      c.conclusion(),
      "Of 3 runs, best has the lowest validation loss (2.0000 at its end); fast cannot be told "
      "from it by that, and fast is 2.00× as fast: choose fast.");
}

TEST(RunComparison, OtherMachinesAndUnknownSettingsAreSaid) {
  MadeRun b = named("b");
  b.host = "there";
  b.set("train.precision", "\"bf16\"");
  EXPECT_TRUE(contains(Compared({named("a"), b}).cause("b"), "unlike machines (host)"));
  b.settings.clear();
  Compared unknown({named("a"), b});
  EXPECT_TRUE(contains(unknown.cause("b"), "are not known"));
  EXPECT_EQ(unknown.comparison().incomparable, "");
}

TEST(RunComparison, OneRunHasItsResultAsConclusion) {
  Compared c({named("a")});
  EXPECT_TRUE(contains(c.conclusion(), "a has a validation loss of 2.1150"));
  EXPECT_TRUE(contains(c.conclusion(), " of training. It no longer improves: "));
}

TEST(RunComparison, WhatCannotBeComparedLeavesNoChoice) {
  MadeRun b = named("b"), c = named("c");
  b.slowdown = [](int64_t step) { return step > 100 ? 3.0 : 1.0; };
  b.set("data.validation", "0.2");
  EXPECT_TRUE(contains(Compared({named("a"), b}).conclusion(),
                       " a step); their validation losses are of different text (data.validation "
                       "differs), so quality is not compared."));
  c.set("data.validation", "0.3");
  EXPECT_EQ(Compared({named("a"), b, c}).conclusion(),
            "The losses of these 3 runs cannot be compared with one another.");
  b.loss = c.loss = [](int64_t) { return NAN; };
  EXPECT_EQ(Compared({named("a"), b, c}).conclusion(),
            "Of 3 runs, only a did not diverge: choose it.");
}

TEST(RunComparison, OneStepIsTooFewToCompareSpeed) {
  MadeRun a = named("a"), b = named("b");
  a.steps = b.steps = 1;
  a.eval_every = b.eval_every = 1;
  EXPECT_TRUE(
      contains(Compared({a, b}).conclusion(), "too few steps to compare their speed; b ends at"));
}

}  // namespace
}  // namespace anneal
