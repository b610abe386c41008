// anneal model import, export and inspect, as a user runs them.

#include <nlohmann/json.hpp>

#include "config_files.hpp"
#include "run_program.hpp"

namespace anneal {
namespace {

class ModelCommands : public ConfigFiles {
 protected:
  void SetUp() override {
    auto config = write_config(initial_model("qwen2", 8));
    auto made = run_program({"train", config.string(), "--out", run_.string()});
    ASSERT_EQ(made.code, 0) << made.err;
  }

  static std::string text_of(const fs::path& model) {
    auto result = run_program({"generate", "--model", model.string(), "--prompt", "abc",
                               "--temperature", "0", "--max-tokens", "6", "--threads", "1"});
    EXPECT_EQ(result.code, 0) << result.err;
    return result.out;
  }

  fs::path run_ = dir_.path() / "run", file_ = dir_.path() / "model.gguf",
           back_ = dir_.path() / "back";
};

TEST_F(ModelCommands, ARunGoesToGgufAndBack) {
  auto result = run_program(
      {"model", "export", "--model", run_.string(), "--out", file_.string(), "--type", "f32"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.err.find("warning"), std::string::npos) << result.err;
  result = run_program({"model", "import", file_.string(), "--out", back_.string()});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.err.find("warning"), std::string::npos) << result.err;
  EXPECT_EQ(text_of(back_), text_of(run_));

  for (const auto& path : {run_, file_, back_}) {
    result = run_program({"model", "inspect", path.string(), "--json"});
    ASSERT_EQ(result.code, 0) << result.err;
    auto json = nlohmann::json::parse(result.out);
    EXPECT_EQ(json["architecture"], "qwen2");
    EXPECT_EQ(json["supported"], true);
    EXPECT_EQ(json["config"]["vocab_size"], 257);
    EXPECT_EQ(json["dtypes"].size(), 1u);
  }
  result = run_program({"model", "inspect", file_.string()});
  EXPECT_NE(result.out.find("blk.0.attn_q.bias"), std::string::npos) << result.out;
}

TEST_F(ModelCommands, TuningOnShorterTextsKeepsTheContext) {
  auto tuned = dir_.path() / "tuned";
  auto config = write_config(
      "name = \"tuned\"\n[model]\ninit = \"@/run\"\ncontext = 4\n[data]\ntrain = "
      "[\"@/text-*.txt\"]\n"
      "validation = 0\n[train]\nsteps = 1\nbatch = 2\nmicro_batch = 2\nsample_every = 0\n");
  auto result = run_program({"train", config.string(), "--out", tuned.string()});
  ASSERT_EQ(result.code, 0) << result.err;
  result = run_program({"model", "inspect", tuned.string(), "--json"});
  EXPECT_EQ(nlohmann::json::parse(result.out)["config"]["context"], 8);
}

TEST_F(ModelCommands, EvalReadsSequencesOfTheContextThatIsAskedFor) {
  auto file = dir_.path() / "nine.txt";
  write_text(file, "123456789");
  auto eval = [&](const char* context) {
    return run_program({"eval", "--model", run_.string(), "--data", file.string(), "--context",
                        context, "--threads", "1", "--json"});
  };
  for (auto [context, tokens] : {std::pair("0", 8), {"8", 8}, {"4", 8}, {"3", 9}, {"5", 5}}) {
    auto result = eval(context);
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(nlohmann::json::parse(result.out)["tokens"], tokens) << context;
  }
  auto refused = [&](const char* context, const char* where) {
    auto result = eval(context);
    EXPECT_EQ(result.code, 2) << context;
    EXPECT_NE(result.err.find(where), std::string::npos) << result.err;
  };
  refused("9", "[--context]");
  refused("-1", "[--context]");
  // All there is, where that is less than the model reads: five bytes and the end of the text.
  write_text(file, "12345");
  EXPECT_EQ(nlohmann::json::parse(eval("0").out)["context"], 5);
  refused("6", "[--data] holds 6 tokens");
}

TEST_F(ModelCommands, WhatCannotBeDoneIsRefused) {
  ASSERT_EQ(
      run_program({"model", "export", "--model", run_.string(), "--out", file_.string()}).code, 0);
  auto refusal = [](const std::vector<std::string>& arguments) {
    auto result = run_program(arguments);
    EXPECT_EQ(result.code, 2) << result.err;
    EXPECT_EQ(result.out, "");
    return result.err;
  };
  auto has = [](const std::string& message, const char* part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  has(refusal({"model", "export", "--model", run_.string(), "--out", "x", "--type", "q4_0"}),
      "[--type]");
  has(refusal({"model", "export", "--model", run_.string(), "--out", "x", "--format", "onnx"}),
      "[--format]");
  has(refusal({"model", "import", file_.string(), "--out", back_.string(), "--dtype", "i32"}),
      "[--dtype]");
  has(refusal({"model", "import", file_.string(), "--out", file_.string()}), "not a folder");
  has(refusal({"model", "inspect", (back_ / "x").string()}), "not there");
  write_text(file_, read_file(file_).substr(0, 3000));
  has(refusal({"model", "import", file_.string(), "--out", back_.string()}), "model.gguf] ");
  EXPECT_FALSE(fs::exists(back_));
}

}  // namespace
}  // namespace anneal
