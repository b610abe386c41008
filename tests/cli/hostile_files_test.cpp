// Files that are cut off, oversized or made up, given to the program: each ends it with exit code 2
// and a message that names the file.

#include <cstring>

#include "config_files.hpp"
#include "run_program.hpp"

namespace anneal {
namespace {

// A run of no steps over the test's text: one checkpoint.
class HostileFiles : public ConfigFiles {
 protected:
  void SetUp() override {
    auto config = write_config(R"(name = "run"
[model]
layers = 1
heads = 2
width = 8
context = 8
[data]
train = ["@/text-*.txt"]
validation = 0
tokenizer = "byte"
[train]
steps = 0
batch = 2
micro_batch = 2
sample_every = 0
)");
    config_ = config.string();
    auto made = run_program({"train", config_, "--out", run_.string()});
    ASSERT_EQ(made.code, 0) << made.err;
    // The same model as anyone's model directory: nothing vouches for its files.
    fs::create_directories(model_);
    for (const char* name : {"config.json", "model.safetensors", "tokenizer.json"})
      fs::copy_file(checkpoint_ / name, model_ / name);
    ASSERT_EQ(generate(model_).code, 0);
  }

  static ProgramResult generate(const fs::path& model) {
    return run_program({"generate", "--model", model.string(), "--prompt", "a", "--max-tokens", "1",
                        "--threads", "1"});
  }

  // `use` must end with exit code 2 and name `file` once that has this content.
  template <class Use>
  void expect_refused(const fs::path& file, const std::string& content, const Use& use,
                      const std::string& message = "") {
    auto good = read_file(file);
    write_text(file, content);
    ProgramResult result = use();
    write_text(file, good);
    auto shown = content.substr(0, 80);
    EXPECT_EQ(result.code, 2) << file << ": " << shown << '\n' << result.err;
    EXPECT_EQ(result.out, "") << file << ": " << shown;
    EXPECT_NE(result.err.find("error: ["), std::string::npos) << result.err;
    EXPECT_NE(result.err.find(file.filename().string()), std::string::npos) << result.err;
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
    EXPECT_LT(result.err.size(), 2000u);
  }

  fs::path run_ = dir_.path() / "run", checkpoint_ = run_ / "checkpoints" / "step-00000000";
  fs::path model_ = dir_.path() / "model";
  std::string config_;
};

TEST_F(HostileFiles, Weights) {
  auto file = model_ / "model.safetensors";
  auto good = read_file(file);
  auto use = [&] { return generate(model_); };
  std::string oversized = good;
  uint64_t huge = ~0ull;
  std::memcpy(oversized.data(), &huge, sizeof huge);
  expect_refused(file, oversized, use, "cut off");
  for (size_t size : {size_t{0}, size_t{7}, size_t{8}, size_t{100}, good.size() - 1})
    expect_refused(file, good.substr(0, size), use, size > 100 ? "cut off" : "");
  expect_refused(file, good + "x", use, "1 bytes after");
  expect_refused(file, std::string(good.size(), '\0'), use, "not a safetensors file");
  expect_refused(file, replaced(good, "transformer.wte.weight", "transformer.wtf.weight"), use,
                 "transformer.wt");
  expect_refused(file, replaced(good, "\"F32\"", "\"F99\""), use, "unknown dtype");
}

TEST_F(HostileFiles, ModelConfig) {
  auto file = model_ / "config.json";
  auto good = read_file(file);
  auto use = [&] { return generate(model_); };
  expect_refused(file, "", use, "not valid JSON");
  expect_refused(file, good.substr(0, good.size() / 2), use, "not valid JSON");
  expect_refused(file, "{\"a\":" + std::string(1 << 20, '['), use);
  expect_refused(file, replaced(good, "\"n_layer\": 1", "\"n_layer\": 2147483647"), use, "n_layer");
  expect_refused(file, replaced(good, "\"n_layer\": 1", "\"n_layer\": 1e99"), use, "n_layer");
  expect_refused(file, replaced(good, "\"n_embd\": 8", "\"n_embd\": 2147483646"), use,
                 "parameters");
  // A config as good as any, but not that of the weights.
  write_text(file, replaced(good, "\"n_inner\": 32", "\"n_inner\": 64"));
  auto result = use();
  EXPECT_EQ(result.code, 2);
  EXPECT_NE(result.err.find("model.safetensors"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("expected shape"), std::string::npos) << result.err;
}

TEST_F(HostileFiles, TokenizerFile) {
  auto file = model_ / "tokenizer.json";
  auto good = read_file(file);
  auto encode = [&] {
    return run_program({"tokenizer", "encode", "--tokenizer", file.string()}, "text");
  };
  auto train = [&] {
    return run_program({"train", config_, "--set", "data.tokenizer=" + file.string(), "--out",
                        (dir_.path() / "other").string()});
  };
  for (const auto& content :
       {std::string(), good.substr(0, good.size() / 2), std::string(1 << 20, '['),
        replaced(good, "256", "999999999999"), replaced(good, "\"ByteLevel\"", "\"Metaspace\"")}) {
    expect_refused(file, content, encode);
    expect_refused(file, content, train);
    expect_refused(file, content, [&] { return generate(model_); });
  }
}

TEST_F(HostileFiles, TokenShards) {
  auto shards = dir_.path() / "shards";
  auto made = run_program({"data", "prepare", (dir_.path() / "text-0.txt").string(), "--tokenizer",
                           "byte", "--out", shards.string()});
  ASSERT_EQ(made.code, 0) << made.err;
  auto bin = shards / "train.bin", json = shards / "train.json";
  auto evaluate = [&] {
    return run_program({"eval", "--model", model_.string(), "--data", bin.string()});
  };
  ASSERT_EQ(evaluate().code, 0) << evaluate().err;
  auto tokens = read_file(bin), sidecar = read_file(json);
  expect_refused(bin, tokens.substr(0, tokens.size() - 1), evaluate);
  expect_refused(bin, "", evaluate);
  expect_refused(bin, tokens + "xx", evaluate, "says");
  expect_refused(bin, std::string(tokens.size(), '\xff'), evaluate, "65535");
  expect_refused(json, "", evaluate);
  expect_refused(json, sidecar.substr(0, sidecar.size() / 2), evaluate);
  expect_refused(json, replaced(sidecar, "\"count\": ", "\"count\": 9"), evaluate);
  expect_refused(json, "{\"a\":" + std::string(1 << 20, '['), evaluate);
}

TEST_F(HostileFiles, Checkpoints) {
  for (const char* name :
       {"model.safetensors", "config.json", "tokenizer.json", "anneal_state/state.safetensors",
        "anneal_state/run.json", "anneal_state/manifest.json"}) {
    auto file = checkpoint_ / name;
    auto good = read_file(file);
    auto flipped = good;
    flipped[good.size() / 2] ^= 1;
    for (const auto& content : {good.substr(0, good.size() - 1), good + "x", flipped}) {
      expect_refused(file, content, [&] { return generate(run_); });
      expect_refused(file, content, [&] {
        return run_program({"train", config_, "--resume", "--out", run_.string()});
      });
    }
  }
  EXPECT_EQ(generate(run_).code, 0);
}

}  // namespace
}  // namespace anneal
