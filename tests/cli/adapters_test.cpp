// Training low-rank adapters of a model, as a user does it.

#include "config_files.hpp"
#include "run_program.hpp"

namespace anneal {
namespace {

const std::string base_config = initial_model("llama", 8);

constexpr const char* adapter_config = R"(name = "adapted"
[model]
init = "@/base"
context = 8
[lora]
rank = 2
dropout = 0.1
targets = ["q_proj", "v_proj", "down_proj"]
[data]
train = ["@/text-*.txt"]
validation = 0
[train]
steps = 6
batch = 2
micro_batch = 2
sample_every = 0
[optimizer]
lr = 0.05
[schedule]
kind = "constant"
warmup_steps = 0
[checkpoint]
every = 3
[parallel]
threads = 1
)";

class AdapterCommands : public ConfigFiles {
 protected:
  void SetUp() override {
    train(base_config, base_);
    train(adapter_config, run_);
  }

  void train(const std::string& config, const fs::path& out,
             const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"train", write_config(config).string(), "--out",
                                          out.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    auto result = run_program(arguments);
    ASSERT_EQ(result.code, 0) << result.err;
  }

  static std::string text_of(const fs::path& model) {
    auto result = run_program({"generate", "--model", model.string(), "--prompt", "Some",
                               "--temperature", "0", "--max-tokens", "4", "--threads", "1"});
    EXPECT_EQ(result.code, 0) << result.err;
    return result.out;
  }

  static std::string refusal(const std::vector<std::string>& arguments) {
    auto result = run_program(arguments);
    EXPECT_EQ(result.code, 2) << result.err;
    return result.err;
  }

  fs::path checkpoint(const fs::path& run) const { return run / "checkpoints" / "step-00000006"; }

  fs::path base_ = dir_.path() / "base", run_ = dir_.path() / "adapted";
};

TEST_F(AdapterCommands, ACheckpointHoldsTheAdaptersOnly) {
  EXPECT_TRUE(fs::exists(checkpoint(run_) / "adapter_model.safetensors"));
  EXPECT_TRUE(fs::exists(checkpoint(run_) / "adapter_config.json"));
  EXPECT_FALSE(fs::exists(checkpoint(run_) / "model.safetensors"));
}

TEST_F(AdapterCommands, InspectShowsThem) {
  auto result = run_program({"model", "inspect", run_.string()});
  ASSERT_EQ(result.code, 0) << result.err;
  for (const char* part : {"PEFT adapters", "rank 2", "q_proj, v_proj, down_proj", "lora_A"})
    EXPECT_NE(result.out.find(part), std::string::npos) << result.out;
}

TEST_F(AdapterCommands, AResumedRunEndsInTheSameBits) {
  fs::path other = dir_.path() / "other";
  train(adapter_config, other);
  fs::remove_all(checkpoint(other));
  train(adapter_config, other, {"--resume"});
  for (const char* name : {"adapter_model.safetensors", "anneal_state/state.safetensors"})
    EXPECT_TRUE(read_file(checkpoint(run_) / name) == read_file(checkpoint(other) / name)) << name;
}

TEST_F(AdapterCommands, MergedAndAdaptedWriteTheSameText) {
  fs::path merged = dir_.path() / "merged", gguf = dir_.path() / "merged.gguf";
  std::string text = text_of(run_);
  EXPECT_NE(text, text_of(base_));
  auto result = run_program({"model", "export", "--model", run_.string(), "--out", merged.string(),
                             "--format", "hf", "--merge"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(text_of(merged), text);
  result = run_program({"model", "export", "--model", run_.string(), "--out", gguf.string(),
                        "--merge", "--type", "f32"});
  ASSERT_EQ(result.code, 0) << result.err;
  result =
      run_program({"model", "import", gguf.string(), "--out", (dir_.path() / "back").string()});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(text_of(dir_.path() / "back"), text);
}

TEST_F(AdapterCommands, AnExportLeavesOtherFoldersAlone) {
  fs::path merged = dir_.path() / "merged", other = dir_.path() / "merged.tmp";
  fs::create_directories(other);
  write_text(other / "notes.txt", "mine");
  auto result = run_program({"model", "export", "--model", run_.string(), "--out",
                             merged.string() + "/", "--format", "hf", "--merge"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(fs::exists(merged / "model.safetensors"));
  EXPECT_EQ(read_file(other / "notes.txt"), "mine");
}

TEST_F(AdapterCommands, OtherWeightsBelowTheAdaptersAreRefused) {
  fs::path other = dir_.path() / "other";
  train(base_config, other, {"--set", "train.seed=2"});
  fs::remove_all(checkpoint(run_));
  fs::remove_all(base_);
  fs::rename(other, base_);
  auto config = write_config(adapter_config).string();
  auto message = refusal({"train", config, "--out", run_.string(), "--resume"});
  EXPECT_NE(message.find("other weights"), std::string::npos) << message;
}

TEST_F(AdapterCommands, WhatCannotBeDoneIsRefused) {
  auto has = [](const std::string& message, const char* part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  fs::path out = dir_.path() / "out";
  has(refusal({"model", "export", "--model", run_.string(), "--out", out.string()}), "--merge");
  has(refusal({"model", "export", "--model", run_.string(), "--out", base_.string(), "--merge",
               "--format", "hf"}),
      "is there already");
  auto config = write_config(adapter_config).string();
  has(refusal({"plan", config, "--set", "model.init=" + run_.string()}), "holds adapters");
  has(refusal({"plan", config, "--set", "lora.targets=[\"q_prj\"]"}), "q_proj");
  has(refusal({"plan", write_config(base_config).string(), "--set", "lora.rank=4"}), "model.init");

  fs::path file = checkpoint(run_) / "adapter_config.json", copy = dir_.path() / "copy";
  std::string text = read_file(file);
  auto refused = [&](std::string changed) {
    fs::remove_all(copy);
    fs::create_directories(copy);
    fs::copy(checkpoint(run_) / "adapter_model.safetensors", copy / "adapter_model.safetensors");
    write_text(copy / "adapter_config.json", changed);
    return refusal({"generate", "--model", copy.string(), "--prompt", "a"});
  };
  has(refused(replaced(text, base_.string(), "/nowhere")), "/nowhere");
  has(refused(replaced(text, "\"bias\": \"none\"", "\"bias\": \"all\"")), "bias");
  has(refused(replaced(text, "\"LORA\"", "\"IA3\"")), "peft_type");
  has(refused(replaced(text, "\"r\": 2", "\"r\": 0")), "r: ");
  has(refused(replaced(text, "\"r\": 2", "\"r\": 3")), "lora_A");
  has(refused(replaced(text, "\"q_proj\"", "\"q_prj\"")), "adapter_config.json] target_modules:");
  has(refused("{"), "adapter_config.json");
}

}  // namespace
}  // namespace anneal
