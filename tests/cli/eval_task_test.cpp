// anneal eval --task, on a model of random weights.

#include <cmath>
#include <nlohmann/json.hpp>

#include "config_files.hpp"
#include "run_program.hpp"

namespace anneal {
namespace {

class EvalTask : public ConfigFiles {
 protected:
  void SetUp() override {
    auto config = write_config(initial_model("llama", 24));
    auto made = run_program({"train", config.string(), "--out", run_.string()});
    ASSERT_EQ(made.code, 0) << made.err;
  }

  ProgramResult eval(std::string_view lines, const std::vector<std::string>& more = {}) {
    write_text(task_, lines);
    std::vector<std::string> arguments = {
        "eval", "--model", run_.string(), "--task", task_.string(), "--threads", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  }

  static constexpr std::string_view line =
      R"({"query": "Which one?", "choices": ["yes", "no"], "gold": 1})"
      "\n";
  fs::path run_ = dir_.path() / "run", task_ = dir_.path() / "task.jsonl";
};

TEST_F(EvalTask, ScoresEveryChoice) {
  std::string lines(line);
  lines.append("\n").append(line).append(
      R"({"activity_label": "A", "ctx_a": "B.", "ctx_b": "c", "endings": ["d", "e", "f"], "label": "2"})");
  auto result = eval(lines, {"--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["questions"], 3);
  ASSERT_EQ(json["log_likelihoods"].size(), 3u);
  EXPECT_EQ(json["log_likelihoods"][2].size(), 3u);
  EXPECT_EQ(json["log_likelihoods"][0], json["log_likelihoods"][1]);
  // Of 257 tokens about equally likely each: " yes" has four of them.
  EXPECT_NEAR(json["log_likelihoods"][0][0].get<double>(), -4 * 5.55, 1.5);
  double accuracy = json["accuracy"], error = json["accuracy_stderr"];
  EXPECT_NEAR(error, std::sqrt(accuracy * (1 - accuracy) / 2), 1e-9);
  json = nlohmann::json::parse(eval(lines, {"--json", "--limit", "1"}).out);
  EXPECT_EQ(json["questions"], 1);
  EXPECT_TRUE(json["accuracy_stderr"].is_null());
  EXPECT_NE(eval(lines).out.find("accuracy normalised"), std::string::npos);
}

TEST_F(EvalTask, WhatIsWrongIsNamedWithFileAndLine) {
  auto refused = [&](const ProgramResult& result, const std::string& part) {
    EXPECT_EQ(result.code, 2) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
  };
  std::string good(line), second = task_.string() + ":2";
  refused(eval(good + R"({"query": "a", "choices": ["b", "c"], "gold": 2})"), second);
  refused(eval(good + R"({"query": "a", "choices": ["b", "c"]})"), "gold");
  refused(eval(good + R"({"query": "a", "choices": ["b"], "gold": 0})"), "two or more");
  refused(eval(good + R"({"query": "a", "choices": ["b", ""], "gold": 0})"), "choices[1]");
  refused(
      eval(good + R"({"query": "a", "choices": ["b", "much longer than 24 bytes"], "gold": 0})"),
      second);
  refused(eval(""), "has no questions");
  refused(eval(good, {"--data", task_.string()}), "either --data");
  refused(run_program({"eval", "--model", run_.string()}), "either --data");
  refused(run_program({"eval", "--model", run_.string(), "--data", "x", "--limit", "1"}),
          "[--limit]");
}

}  // namespace
}  // namespace anneal
