// How a run ends, and what it leaves behind: exit codes, files, the last lines of metrics.jsonl.

#include <cstring>

#include "anneal/train/run_folder.hpp"
#include "train/tiny_run.hpp"

namespace anneal {
namespace {

class Outcomes : public TinyRun {
 protected:
  // A run of eight steps at a constant rate, with a checkpoint at the end, to go on from.
  void train_eight_steps(const std::string& name) {
    auto result = train(name, sets({"train.steps=8", "schedule.kind=constant"}));
    ASSERT_EQ(result.code, 0) << result.err;
  }

  // Ends with an alert and an end line; `step` updates were made.
  void expect_diverged(const ProgramResult& result, const std::string& name, int64_t step,
                       const std::string& tensor) {
    EXPECT_EQ(result.code, 3) << result.err;
    EXPECT_NE(result.err.find(tensor), std::string::npos) << result.err;
    auto events = metrics_of(run(name));
    auto end = events.back();
    EXPECT_EQ(end["event"], "end");
    EXPECT_EQ(end["status"], "diverged");
    EXPECT_EQ(end["step"], step);
    auto alerts = events_of(run(name), "alert");
    ASSERT_EQ(alerts.size(), 1u);
    EXPECT_EQ(alerts[0]["kind"], "not_finite");
    EXPECT_EQ(alerts[0]["step"], step);
    std::string message = alerts[0]["message"];
    EXPECT_NE(message.find(tensor), std::string::npos) << message;
    for (const auto& each : events_of(run(name), "step"))
      EXPECT_FALSE(each.contains("not_finite")) << each;
  }
};

TEST_F(Outcomes, ALossThatIsNotFiniteKeepsTheLastGoodCheckpoint) {
  train_eight_steps("a");
  std::string before = weights_of(checkpoint_of(run("a"), 8));
  // The update of step 9 throws the weights to about 1e30, where step 10 overflows.
  auto result =
      train("a", std::vector<std::string>{"--resume"} +
                     sets({"train.steps=20", "schedule.kind=constant", "optimizer.lr=1e30",
                           "train.eval_every=0", "train.sample_every=0"}));
  expect_diverged(result, "a", 9, "embed.tokens.weight");
  auto newest = newest_valid_checkpoint(run("a") / "checkpoints");
  ASSERT_TRUE(newest);
  EXPECT_EQ(newest->step, 8);
  EXPECT_EQ(weights_of(newest->dir), before);
  // It is fit to go on from.
  auto again = train("a", std::vector<std::string>{"--resume"} +
                              sets({"train.steps=12", "schedule.kind=constant"}));
  EXPECT_EQ(again.code, 0) << again.err;
}

TEST_F(Outcomes, AnUpdateThatLeavesTheRangeIsNeverSaved) {
  train_eight_steps("a");
  std::string before = weights_of(checkpoint_of(run("a"), 8));
  // The update itself overflows, and with keep = 1 a checkpoint of it would replace the good one.
  for (const char* next : {"train.eval_every=1", "train.sample_every=1", "checkpoint.every=1"}) {
    auto result =
        train("a", std::vector<std::string>{"--resume"} +
                       sets({"train.steps=20", "schedule.kind=constant", "optimizer.lr=3e38",
                             "train.eval_every=0", "train.sample_every=0", "checkpoint.keep=1",
                             "checkpoint.every=0", next}));
    SCOPED_TRACE(next);
    EXPECT_EQ(result.code, 3) << result.err;
    EXPECT_NE(result.err.find("the update of step 9 left numbers in embed.tokens.weight"),
              std::string::npos)
        << result.err;
    EXPECT_EQ(metrics_of(run("a")).back()["status"], "diverged");
    auto newest = newest_valid_checkpoint(run("a") / "checkpoints");
    ASSERT_TRUE(newest);
    EXPECT_EQ(newest->step, 8);
    EXPECT_EQ(weights_of(newest->dir), before);
  }
}

TEST_F(Outcomes, APoisonedWeightIsMetBeforeTheFirstUpdate) {
  ASSERT_EQ(train("source", sets({"train.steps=0"})).code, 0);
  fs::path model = dir_.path() / "poisoned";
  fs::copy(checkpoint_of(run("source"), 0), model);
  fs::path file = model / "model.safetensors";
  std::string bytes = read_file(file);
  // The file ends with the last tensor's values.
  uint32_t nan = 0x7FC00000;
  std::memcpy(bytes.data() + bytes.size() - sizeof nan, &nan, sizeof nan);
  FileWriter(file).write(bytes);
  auto result = train("a", sets({"model.init=" + model.string()}));
  expect_diverged(result, "a", 0, "the first gradient that is not finite is");
  EXPECT_TRUE(events_of(run("a"), "step").empty());
  EXPECT_TRUE(list_checkpoints(run("a") / "checkpoints").empty());
}

TEST_F(Outcomes, NoStepsWriteACompleteModel) {
  auto constant = [](int64_t n) {
    return sets({str("train.steps=", n), "schedule.kind=constant", "train.sample_every=0"});
  };
  auto result = train("a", constant(0));
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out, "");
  for (const char* name : {"anneal_state/config.toml", "anneal_state/manifest.json",
                           "anneal_state/run.json", "anneal_state/state.safetensors", "config.json",
                           "generation_config.json", "model.safetensors", "tokenizer.json"})
    EXPECT_TRUE(fs::exists(checkpoint_of(run("a"), 0) / name)) << name;
  EXPECT_EQ(verify_checkpoint(checkpoint_of(run("a"), 0)), "");
  std::vector<std::string> events;
  for (const auto& event : metrics_of(run("a"))) events.push_back(event["event"]);
  EXPECT_EQ(events, (std::vector<std::string>{"start", "checkpoint", "end"}));

  auto text = run_program({"generate", "--model", run("a").string(), "--prompt", "the cat",
                           "--max-tokens", "5", "--temperature", "0"});
  EXPECT_EQ(text.code, 0) << text.err;
  // A run that goes on from there is one that never stopped.
  ASSERT_EQ(train("b", constant(8)).code, 0);
  ASSERT_EQ(train("a", std::vector<std::string>{"--resume"} + constant(8)).code, 0);
  EXPECT_EQ(weights_of(checkpoint_of(run("a"), 8)), weights_of(checkpoint_of(run("b"), 8)));
}

TEST_F(Outcomes, Fp16SkipsWhatOverflowsAndGoesOn) {
  auto common = std::vector<std::string>{"model.dropout=0", "model.embedding_dropout=0"};
  ASSERT_EQ(train("fp32", sets(common)).code, 0);
  auto fp16 = sets({"train.precision=fp16", "train.loss_scale=1099511627776",
                    "train.loss_scale_interval=10"}) +
              sets(common);
  auto result = train("fp16", fp16);
  ASSERT_EQ(result.code, 0) << result.err;
  auto steps = events_of(run("fp16"), "step");
  auto alerts = events_of(run("fp16"), "alert");
  // 2^40 is far too large for the first gradient.
  EXPECT_GT(steps[0]["skipped"], 0);
  int64_t reported = 0;
  for (const auto& step : steps) {
    reported += step["skipped"] > 0;
    EXPECT_LE(step["loss_scale"].get<double>(), 0x1p40);
    EXPECT_TRUE(step["grad_norm"].is_number());
  }
  EXPECT_EQ(steps[0]["loss_scale"].get<double>(),
            0x1p40 / std::exp2(steps[0]["skipped"].get<double>()));
  ASSERT_EQ(alerts.size(), static_cast<size_t>(reported));
  for (const auto& alert : alerts) EXPECT_EQ(alert["kind"], "overflow");
  // After ten good steps the scale has doubled.
  EXPECT_EQ(steps[10]["loss_scale"].get<double>() * std::exp2(steps[10]["skipped"].get<double>()),
            2 * steps[9]["loss_scale"].get<double>());
  // The same training to the rounding of 11 bits.
  double loss = steps.back()["loss"], expected = events_of(run("fp32"), "step").back()["loss"];
  EXPECT_NEAR(loss, expected, 5e-3 * expected);
  for (const auto& step : events_of(run("fp32"), "step")) EXPECT_TRUE(step["loss_scale"].is_null());
}

TEST_F(Outcomes, Fp16GivesUpAfterTwentySkips) {
  auto result =
      train("a", sets({"train.precision=fp16", "optimizer.lr=1e30", "schedule.kind=constant",
                       "schedule.warmup_steps=0", "train.loss_scale=1099511627776"}));
  EXPECT_EQ(result.code, 3) << result.err;
  auto alerts = events_of(run("a"), "alert");
  ASSERT_GE(alerts.size(), 2u);
  EXPECT_EQ(alerts[alerts.size() - 2]["kind"], "overflow");
  EXPECT_EQ(alerts.back()["kind"], "not_finite");
  EXPECT_EQ(metrics_of(run("a")).back()["status"], "diverged");
}

TEST_F(Outcomes, AFolderWithCheckpointsIsNotTouched) {
  train_eight_steps("a");
  auto before = hashes_below(run("a"));
  auto result = train("a", sets({"train.steps=12"}));
  EXPECT_EQ(result.code, 2);
  EXPECT_NE(result.err.find("already holds checkpoints"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("--resume"), std::string::npos) << result.err;
  EXPECT_EQ(hashes_below(run("a")), before);
}

TEST_F(Outcomes, ResumeRefusesWhatWouldChangeTheRun) {
  ASSERT_EQ(train("a", sets({"train.steps=8"})).code, 0);
  auto before = hashes_below(run("a"));
  FileWriter(path("other.txt")).write(sample_text(3000, 5));
  struct Change {
    std::string key, value;
    std::vector<std::string> with = {};
  };
  for (const Change& change : std::vector<Change>{
           {"model.width", "64"},
           {"model.layers", "3"},
           {"model.heads", "4"},
           {"model.hidden", "96"},
           {"model.context", "8"},
           {"model.dropout", "0.2"},
           {"model.tie_embeddings", "false"},
           {"model.norm_eps", "1e-6"},
           {"model.family", "llama"},
           {"data.train", "[\"" + path("other.txt") + "\"]"},
           {"data.validation", "0.1"},
           {"data.tokenizer", "bpe:300"},
           {"data.shuffle", "false"},
           {"train.seed", "8"},
           {"train.batch", "16"},
           {"train.micro_batch", "4"},
           {"train.precision", "bf16"},
           {"parallel.shards", "4"},
           {"optimizer.kind", "adam"},
           // The cosine ends at train.steps, so that every step's rate would be another one.
           {"train.steps", "16"},
           // Fewer than were done already.
           {"train.steps", "4", {"schedule.horizon=8"}}}) {
    auto all = change.with;
    if (change.key != "train.steps") all.push_back("train.steps=8");
    all.push_back(change.key + "=" + change.value);
    auto result = train("a", std::vector<std::string>{"--resume"} + sets(all));
    EXPECT_EQ(result.code, 2) << change.key << ": " << result.err;
    EXPECT_NE(result.err.find(change.key + "]"), std::string::npos)
        << change.key << ": " << result.err;
    EXPECT_EQ(hashes_below(run("a")), before) << change.key;
  }
  // Unchanged it is accepted; there is nothing left to do.
  EXPECT_EQ(train("a", std::vector<std::string>{"--resume"} + sets({"train.steps=8"})).code, 0);
}

TEST_F(Outcomes, ResumeRefusesTextsThatHaveChanged) {
  for (const char* tokenizer : {"byte", "bpe:300"}) {
    std::string name = str("run-", tokenizer);
    auto assignments = sets({"train.steps=8", str("data.tokenizer=", tokenizer)});
    FileWriter(path("train-0.txt")).write(sample_text(1200, 10));
    ASSERT_EQ(train(name, assignments).code, 0);
    auto before = hashes_below(run(name) / "checkpoints");
    std::string metrics = read_file(run(name) / "metrics.jsonl");
    FileWriter(path("train-0.txt")).write(sample_text(1300, 77) + "quite another ending");
    auto result = train(name, std::vector<std::string>{"--resume"} + assignments);
    EXPECT_EQ(result.code, 2) << result.err;
    EXPECT_NE(result.err.find(tokenizer == std::string("byte") ? "data.train]" : "data.tokenizer]"),
              std::string::npos)
        << result.err;
    EXPECT_EQ(hashes_below(run(name) / "checkpoints"), before);
    EXPECT_EQ(read_file(run(name) / "metrics.jsonl"), metrics);
  }
}

TEST_F(Outcomes, MoreStepsAreAcceptedWhereTheScheduleDoesNotDependOnThem) {
  struct Schedule {
    const char* name;
    std::vector<std::string> assignments;
  };
  for (const Schedule& schedule :
       {Schedule{"constant", {"schedule.kind=constant"}},
        Schedule{"horizon", {"schedule.kind=cosine", "schedule.horizon=16"}}}) {
    auto steps = [&](int64_t n) {
      return sets(schedule.assignments) +
             sets({str("train.steps=", n), "train.eval_every=0", "train.sample_every=0"});
    };
    std::string whole = str("whole-", schedule.name), parts = str("parts-", schedule.name);
    ASSERT_EQ(train(whole, steps(16)).code, 0);
    ASSERT_EQ(train(parts, steps(8)).code, 0);
    auto result = train(parts, std::vector<std::string>{"--resume"} + steps(16));
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(weights_of(checkpoint_of(run(parts), 16)), weights_of(checkpoint_of(run(whole), 16)));
    EXPECT_EQ(reproducible_lines(run(parts)), reproducible_lines(run(whole)));
  }
}

TEST_F(Outcomes, ADryRunWritesNothing) {
  auto before = hashes_below(dir_.path());
  for (const char* tokenizer : {"byte", "bpe:300"}) {
    auto result = train(
        "a", std::vector<std::string>{"--dry-run"} + sets({str("data.tokenizer=", tokenizer)}));
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.out.find("parameters"), std::string::npos) << result.out;
    EXPECT_FALSE(fs::exists(run("a")));
  }
  EXPECT_EQ(hashes_below(dir_.path()), before);
  // It checks what training checks.
  auto wrong = train("a", std::vector<std::string>{"--dry-run"} + sets({"train.micro_batch=3"}));
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("train.micro_batch"), std::string::npos) << wrong.err;
}

TEST_F(Outcomes, ASecondProcessInTheFolderIsRefused) {
  train_eight_steps("a");
  auto before = hashes_below(run("a"));
  {
    RunLock lock(RunFolder{run("a")});
    auto result = train("a", {"--resume"});
    EXPECT_EQ(result.code, 2);
    EXPECT_NE(result.err.find("another process trains in this folder"), std::string::npos)
        << result.err;
  }
  EXPECT_EQ(hashes_below(run("a")), before);
  auto arguments = sets({"train.steps=8", "schedule.kind=constant"});
  arguments.push_back("--resume");
  EXPECT_EQ(train("a", arguments).code, 0);
}

// The number of tokens tells nothing here: a character is another one.
TEST_F(Outcomes, ResumingOnOtherTextOfTheSameLengthIsRefused) {
  train_eight_steps("a");
  std::string text = read_file(path("train-0.txt"));
  text[7] ^= 1;
  FileWriter(path("train-0.txt")).write(text);
  auto result = train("a", sets({"train.steps=16", "schedule.kind=constant"}));
  EXPECT_EQ(result.code, 2) << "without --resume";
  auto arguments = sets({"train.steps=16", "schedule.kind=constant"});
  arguments.push_back("--resume");
  result = train("a", arguments);
  EXPECT_EQ(result.code, 2);
  EXPECT_NE(result.err.find("data.train"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("other text"), std::string::npos) << result.err;
}

TEST_F(Outcomes, WeightsOfAnotherTokenizerAreRefused) {
  train_eight_steps("a");
  std::string init = "model.init=\"" + run("a").string() + "\"";
  EXPECT_EQ(train("same", sets({init, "train.steps=1"})).code, 0);
  // 257 tokens as well, so that the sizes agree.
  std::string tokenizer =
      read_file(newest_valid_checkpoint(run("a") / "checkpoints")->dir / "tokenizer.json");
  auto at = tokenizer.find("<|endoftext|>");
  while (at != std::string::npos) {
    tokenizer.replace(at, 13, "<|end_of_te|>");
    at = tokenizer.find("<|endoftext|>");
  }
  FileWriter(path("other.json")).write(tokenizer);
  auto result = train(
      "other", sets({init, "train.steps=1", "data.tokenizer=\"" + path("other.json") + "\""}));
  EXPECT_EQ(result.code, 2);
  EXPECT_NE(result.err.find("data.tokenizer"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("model.init"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace anneal
