// anneal report on real runs: its numbers against those of the raw logs, and its errors.

#include <gtest/gtest.h>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "anneal/base/error.hpp"
#include "run_program.hpp"

namespace anneal {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

class Report : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = new TemporaryDirectory;
    std::string text;
    for (int i = 0; i < 400; ++i) text += str("line ", i * i, " of the text\n");
    FileWriter(path("text.txt")).write(text);
    FileWriter(path("more.txt")).write(str("other ", text));
    FileWriter(path("my.toml"))
        .write(
            str("name = \"tiny\"\n[model]\nfamily = \"gpt2\"\nlayers = 1\nheads = 2\nwidth = 16\n",
                "context = 16\n[data]\ntrain = [\"", path("text.txt"), "\"]\nvalidation = [\"",
                path("more.txt"), "\"]\ntokenizer = \"byte\"\n[train]\nsteps = 30\nbatch = 4\n",
                "micro_batch = 2\neval_every = 5\neval_batches = 2\nsample_every = 0\n[schedule]\n",
                "warmup_steps = 4\nhorizon = 30\n[parallel]\nthreads = 1\n"));
    train({"--out", path("a")});
    // In two processes, with one setting that is not the same.
    train({"--out", path("b"), "--set", "optimizer.lr=0.01", "--set", "train.steps=20"});
    train({"--out", path("b"), "--set", "optimizer.lr=0.01", "--resume"});
  }
  static void TearDownTestSuite() { delete dir_; }

  static std::string path(const std::string& name) { return (dir_->path() / name).string(); }
  static void train(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"train", path("my.toml")});
    auto result = run_program(arguments);
    ASSERT_EQ(result.code, 0) << result.err;
  }
  static std::vector<Json> lines_of(const std::string& run) {
    std::istringstream in(read_file(path(run) + "/metrics.jsonl"));
    std::vector<Json> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
    return lines;
  }

  static TemporaryDirectory* dir_;
};

TemporaryDirectory* Report::dir_ = nullptr;

// The numbers of a run, from its raw log.
void expect_numbers_of(const std::vector<Json>& lines, const Json& run) {
  std::vector<double> losses, times;
  double waits = 0, time = 0, wall = 0, best_eval = 1e9;
  Json step, eval, start, end;
  int starts = 0;
  for (const Json& line : lines) {
    if (line["event"] == "step") {
      step = line;
      losses.push_back(line["loss"]);
      times.push_back(line["step_seconds"]);
      time += times.back();
      waits += line["data_wait_seconds"].get<double>();
    } else if (line["event"] == "eval") {
      eval = line;
      best_eval = std::min(best_eval, line["loss"].get<double>());
    } else if (line["event"] == "start") {
      start = line;
      ++starts;
    } else if (line["event"] == "end") {
      end = line;
      wall += end["wall_seconds"].get<double>();
    }
  }
  ASSERT_EQ(losses.size(), 30u);
  std::sort(times.begin(), times.end());
  const Json& results = run["results"];
  EXPECT_EQ(results["steps"], step["step"]);
  EXPECT_EQ(results["tokens"], step["tokens"]);
  EXPECT_EQ(results["tokens"], 30 * 4 * 16);
  EXPECT_DOUBLE_EQ(results["train_loss"], losses.back());  // 30 / 20: one step
  EXPECT_DOUBLE_EQ(results["best_train_loss"], *std::min_element(losses.begin(), losses.end()));
  EXPECT_DOUBLE_EQ(results["validation_loss"], eval["loss"]);
  EXPECT_DOUBLE_EQ(results["best_validation_loss"], best_eval);
  EXPECT_DOUBLE_EQ(results["perplexity"], eval["perplexity"]);
  EXPECT_DOUBLE_EQ(results["bits_per_byte"], eval["bits_per_byte"]);
  EXPECT_DOUBLE_EQ(results["step_seconds"], (times[14] + times[15]) / 2);
  EXPECT_NEAR(results["training_seconds"], time, 1e-9);
  EXPECT_NEAR(results["wall_seconds"], wall, 1e-9);
  EXPECT_NEAR(results["data_wait_share"], waits / time, 1e-12);
  EXPECT_EQ(results["peak_anon_bytes"], end["peak_anon_bytes"]);
  EXPECT_NEAR(results["memory_deviation"],
              (end["peak_anon_bytes"].get<double>() - start["baseline_bytes"].get<double>()) /
                      start["planned_bytes"].get<double>() -
                  1,
              1e-12);
  EXPECT_EQ(results["status"], "done");
  EXPECT_EQ(run["machine"]["processes"], starts);
  EXPECT_EQ(run["machine"]["parameters"], start["parameters"]);
  EXPECT_EQ(run["machine"]["config_hash"], start["config_hash"]);
}

TEST_F(Report, NumbersAreThoseOfTheLogs) {
  auto result = run_program({"report", path("a"), path("b"), "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  const Json json = Json::parse(result.out);
  ASSERT_EQ(json["runs"].size(), 2u);
  // Both have one name, so their folders tell them apart.
  EXPECT_EQ(json["runs"][0]["name"], "a");
  EXPECT_EQ(json["runs"][1]["name"], "b");
  expect_numbers_of(lines_of("a"), json["runs"][0]);
  expect_numbers_of(lines_of("b"), json["runs"][1]);
  EXPECT_EQ(json["differing_settings"].size(), 1u);
  EXPECT_EQ(json["differing_settings"]["optimizer.lr"], Json({"6e-4", "0.01"}));
  EXPECT_EQ(json["comparisons"][0]["settings"], Json({"optimizer.lr"}));
  EXPECT_TRUE(json["comparisons"][0]["loss_shows"]);
  EXPECT_NE(json["findings"][0]["text"].get<std::string>().find("at a lower validation loss"),
            std::string::npos)
      << json["findings"][0];
  EXPECT_FALSE(fs::exists("report.html"));
}

TEST_F(Report, WritesThePageWhereItSays) {
  auto one = run_program({"report", path("a")});
  EXPECT_EQ(one.code, 0) << one.err;
  EXPECT_EQ(one.out, "");
  EXPECT_NE(one.err.find(path("a/report.html")), std::string::npos) << one.err;
  EXPECT_TRUE(read_file(path("a/report.html")).starts_with("<!DOCTYPE html>"));

  auto both = run_program({"report", path("a"), path("b"), "--out", path("c.html"), "--json"});
  EXPECT_EQ(both.code, 0) << both.err;
  EXPECT_TRUE(Json::accept(both.out));
  const std::string html = read_file(path("c.html"));
  EXPECT_NE(html.find("optimizer.lr"), std::string::npos);
  EXPECT_NE(html.find("Validation loss over time"), std::string::npos);
}

TEST_F(Report, WhatIsMissingIsNamed) {
  const auto refused = [](const std::string& folder, const std::string& message) {
    auto result = run_program({"report", folder});
    EXPECT_EQ(result.code, 2);
    EXPECT_EQ(result.out, "");
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
  };
  refused(path("none"), str("[", path("none"), "] there is no such folder"));
  fs::create_directory(path("empty"));
  refused(path("empty"), str("[", path("empty/metrics.jsonl"), "] there is no such file"));
  FileWriter(path("empty/metrics.jsonl")).write("");
  refused(path("empty"), str("[", path("empty/metrics.jsonl"), "] holds no event"));
  auto unwritable = run_program({"report", path("a"), "--out", path("none/x.html")});
  EXPECT_EQ(unwritable.code, 2);
  EXPECT_NE(unwritable.err.find("--out"), std::string::npos) << unwritable.err;
}

TEST_F(Report, ARunWithoutItsConfigOrItsEndIsStillReported) {
  fs::create_directory(path("torn"));
  std::string log = read_file(path("a") + "/metrics.jsonl");
  log.resize(log.size() / 2);
  FileWriter(path("torn/metrics.jsonl")).write(log);
  auto result = run_program({"report", path("torn"), path("a"), "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.err.find("config.toml] is missing"), std::string::npos) << result.err;
  const Json json = Json::parse(result.out);
  EXPECT_EQ(json["runs"][0]["results"]["status"], "no end");
  EXPECT_EQ(json["runs"][0]["notes"].size(), 1u);
  EXPECT_EQ(json["runs"][0]["settings"].size(), 0u);
}

}  // namespace
}  // namespace anneal
