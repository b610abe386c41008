// Commands that train several times: bench optim and repro; and the schedule that plan prints.

#include <gtest/gtest.h>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "anneal/base/error.hpp"
#include "run_program.hpp"
#include "train/running_program.hpp"

namespace anneal {
namespace {

using Json = nlohmann::json;

class Experiments : public testing::Test {
 protected:
  Experiments() {
    std::string text;
    for (int i = 0; i < 400; ++i) text += str("line ", i * i, " of the text\n");
    FileWriter(path("text.txt")).write(text);
    FileWriter(path("my.toml"))
        .write(
            str("name = \"tiny\"\n[model]\nfamily = \"gpt2\"\nlayers = 1\nheads = 2\nwidth = 16\n",
                "context = 16\n[data]\ntrain = [\"", path("text.txt"), "\"]\nvalidation = 0\n",
                "tokenizer = \"byte\"\n[train]\nsteps = 30\nbatch = 4\nmicro_batch = 4\n",
                "eval_every = 0\nsample_every = 0\n[optimizer]\nlr = 3e-3\n[schedule]\n",
                "warmup_steps = 4\nmin_lr = 1e-4\n[parallel]\nthreads = 1\n"));
  }
  std::string path(const std::string& name) { return (dir_.path() / name).string(); }

  TemporaryDirectory dir_;
};

TEST_F(Experiments, PlanPrintsAndDrawsTheSchedule) {
  auto result = run_program({"plan", path("my.toml"), "--schedule", "--svg", path("lr.svg")});
  ASSERT_EQ(result.code, 0) << result.err;
  std::istringstream lines(result.out);
  std::string head;
  std::getline(lines, head);
  EXPECT_NE(head.find("learning rate"), std::string::npos);
  int64_t step = 0, tokens = 0, last = 0, count = 0;
  for (double lr = 0; lines >> step >> tokens >> lr; last = step, ++count) {
    EXPECT_GT(step, last);
    EXPECT_EQ(tokens, step * 4 * 16);
    auto s = static_cast<double>(step - 1);
    double p = (s - 4) / 26;
    double expected = s < 4 ? 3e-3 * (s + 1) / 4
                            : 1e-4 + 0.5 * (3e-3 - 1e-4) * (1 + std::cos(3.14159265358979 * p));
    EXPECT_NEAR(lr, expected, 1e-8) << step;
  }
  EXPECT_EQ(last, 30);
  EXPECT_GE(count, 20);
  std::string svg = read_file(path("lr.svg"));
  EXPECT_NE(svg.find("<svg"), std::string::npos);
  EXPECT_NE(svg.find("cosine"), std::string::npos);

  EXPECT_EQ(run_program({"plan", path("my.toml"), "--schedule", "--json"}).code, 2);
  EXPECT_EQ(run_program({"plan", path("my.toml"), "--svg", path("no/lr.svg")}).code, 2);
  auto none = run_program({"plan", path("my.toml"), "--schedule", "--set", "train.steps=0"});
  EXPECT_EQ(none.code, 2);
  EXPECT_NE(none.err.find("train.steps"), std::string::npos) << none.err;
}

TEST_F(Experiments, BenchOptimComparesOnOneTask) {
  auto result = run_program({"bench", "optim", path("my.toml"), "--optimizer", "sgd", "--optimizer",
                             "adamw", "--schedule", "cosine", "--schedule", "wsd", "--no-tuning",
                             "--json", "--svg", path("plot")});
  ASSERT_EQ(result.code, 0) << result.err;
  auto json = Json::parse(result.out);
  ASSERT_EQ(json["optimizers"].size(), 2u);
  ASSERT_EQ(json["schedules"].size(), 2u);
  for (const char* list : {"optimizers", "schedules"})
    for (const auto& run : json[list]) {
      EXPECT_EQ(run["losses"].size(), 30u);
      EXPECT_EQ(run["lr"], 3e-3);
      // A twentieth of 30 steps is one.
      EXPECT_EQ(run["final_loss"], run["losses"].back());
      if (run["steps_to_target"].is_null()) continue;
      int64_t steps = run["steps_to_target"];
      EXPECT_LE(run["losses"][static_cast<size_t>(steps - 1)], json["target_loss"]);
    }
  // All begin with the same weights on the same batch.
  EXPECT_EQ(json["optimizers"][0]["losses"][0], json["optimizers"][1]["losses"][0]);
  EXPECT_EQ(json["optimizers"][1]["losses"], json["schedules"][0]["losses"]);
  for (const char* name : {"plot-optimizers.svg", "plot-schedules.svg"})
    EXPECT_NE(read_file(path(name)).find("<svg"), std::string::npos);

  auto unknown = run_program({"bench", "optim", path("my.toml"), "--optimizer", "adamax"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.err.find("adamax"), std::string::npos);
  EXPECT_EQ(run_program({"bench", "optim", path("my.toml"), "--set", "train.steps=3"}).code, 2);
}

TEST_F(Experiments, BenchFusionCountsBytes) {
  auto result = run_program({"bench", "fusion", "--elements", "16384", "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  auto relu = Json::parse(result.out)[0];
  EXPECT_EQ(relu["separate"]["bytes"], 5 * 16384 * 4);
  EXPECT_EQ(relu["fused"]["bytes"], 3 * 16384 * 4);
  EXPECT_EQ(relu["difference"], 0);
  EXPECT_EQ(run_program({"bench", "fusion", "--elements", "1"}).code, 2);
}

TEST_F(Experiments, MixedPrecisionTrainsEachPrecisionOnce) {
  std::vector<std::string> words = {
      "repro", "mixed-precision", path("my.toml"), "--out", path("mp"), "--seeds", "2"};
  auto result = run_program(words);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out, "");
  auto json = Json::parse(read_file(path("mp/report.json")));
  EXPECT_EQ(json["runs"].size(), 6u);
  const auto& rows = json["sections"][0]["table"]["rows"];
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0][0], "bf16");
  EXPECT_EQ(rows[1][0], "fp16");
  EXPECT_EQ(rows[1][1], "2");
  EXPECT_NE(read_file(path("mp/report.html")).find("Precisions over all seeds"), std::string::npos);
  std::string metrics = read_file(path("mp/fp16-seed2/metrics.jsonl"));

  // What is there is not trained again; a longer experiment trains what is missing.
  words.back() = "3";
  result = run_program(words);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.err.find("fp16-seed2 is there"), std::string::npos) << result.err;
  EXPECT_EQ(read_file(path("mp/fp16-seed2/metrics.jsonl")), metrics);
  EXPECT_EQ(Json::parse(read_file(path("mp/report.json")))["runs"].size(), 9u);

  // Nor is it taken for a run of another config.
  std::vector<std::string> other = words;
  other.insert(other.end(), {"--set", "optimizer.lr=0.1"});
  result = run_program(other);
  EXPECT_EQ(result.code, 2);
  EXPECT_NE(result.err.find("optimizer.lr]"), std::string::npos) << result.err;
  EXPECT_EQ(read_file(path("mp/fp16-seed2/metrics.jsonl")), metrics);

  words.back() = "0";
  EXPECT_EQ(run_program(words).code, 2);
  // A config that only one of the runs refuses is refused before the first.
  result = run_program({"repro", "mixed-precision", path("my.toml"), "--out", path("no"), "--set",
                        "train.micro_batch=3"});
  EXPECT_EQ(result.code, 2);
  EXPECT_FALSE(std::filesystem::exists(path("no")));
}

TEST_F(Experiments, OptimizersAndFusionWriteTheirReports) {
  auto result = run_program({"repro", "optimizers", path("my.toml"), "--out", path("optimizers")});
  ASSERT_EQ(result.code, 0) << result.err;
  auto json = Json::parse(read_file(path("optimizers/report.json")));
  EXPECT_EQ(json["runs"].size(), 6u);
  EXPECT_EQ(json["sections"][0]["table"]["rows"].size(), 6u);

  result = run_program(
      {"repro", "fusion", path("my.toml"), "--out", path("fusion"), "--elements", "16384"});
  ASSERT_EQ(result.code, 0) << result.err;
  json = Json::parse(read_file(path("fusion/report.json")));
  EXPECT_EQ(json["runs"].size(), 2u);
  EXPECT_EQ(json["sections"][0]["table"]["rows"][0][3], "−40.0 %");
}

// A terminal's Ctrl-C goes to every process of the group; the run must save all the same.
TEST_F(Experiments, CtrlCSavesTheRunAndTheSameCommandGoesOn) {
  std::vector<std::string> words = {"repro",    "mixed-precision", path("my.toml"),     "--out",
                                    path("mp"), "--set",           "train.steps=100000"};
  auto steps = [&] {
    std::error_code missing;
    auto file = path("mp/fp32/metrics.jsonl");
    return std::filesystem::exists(file, missing) &&
           read_file(file).find("\"step\":20,") != std::string::npos;
  };
  int code = -1;
  {
    RunningProgram program(words);
    program.wait_until(steps);
    program.send_to_group(SIGINT);
    code = program.wait();
  }
  EXPECT_EQ(code, 4);
  std::istringstream lines(read_file(path("mp/fp32/metrics.jsonl")));
  Json last;
  for (std::string line; std::getline(lines, line);) last = Json::parse(line);
  EXPECT_EQ(last["event"], "end");
  EXPECT_EQ(last["status"], "interrupted");
  EXPECT_GE(last["step"], 20);
}

TEST_F(Experiments, NothingIsTrainedForArgumentsThatAreWrong) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"repro", "fusion", path("my.toml"), "--elements", "5"},
           {"repro", "optimizers", path("my.toml"), "--set", "train.steps=0"},
           {"repro", "mixed-precision", path("my.toml"), "--set", "train.loss_scale=1000"},
           {"bench", "optim", path("my.toml"), "--target", "-3"},
           {"bench", "optim", path("my.toml"), "--set", "optimizer.lr=0"}}) {
    auto with_out = words;
    if (words[0] == "repro") with_out.insert(with_out.end(), {"--out", path("none")});
    auto result = run_program(with_out);
    EXPECT_EQ(result.code, 2) << words[1] << ": " << result.err;
    EXPECT_FALSE(std::filesystem::exists(path("none/fp32"))) << words[1];
  }
}

}  // namespace
}  // namespace anneal
