// Fine-tuning on conversations, as a user does it.

#include <nlohmann/json.hpp>

#include "config_files.hpp"
#include "run_program.hpp"

namespace anneal {
namespace {

const std::string base_config = initial_model("llama", 64);

constexpr const char* tuning_config = R"(name = "tuned"
[model]
init = "@/base"
context = 64
[data]
train = ["@/chat.jsonl"]
validation = 0
packing = "samples"
[train]
steps = 4
batch = 2
micro_batch = 1
eval_batches = 1
sample_every = 0
[optimizer]
lr = 0.01
[schedule]
kind = "constant"
warmup_steps = 0
[checkpoint]
every = 2
[parallel]
threads = 1
)";

constexpr const char* turns =
    "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}";

class Samples : public ConfigFiles {
 protected:
  void SetUp() override {
    auto made = run_program(
        {"train", write_config(base_config).string(), "--out", (dir_.path() / "run").string()});
    ASSERT_EQ(made.code, 0) << made.err;
    fs::rename(dir_.path() / "run" / "checkpoints" / "step-00000000", base_);
    fs::remove_all(base_ / "anneal_state");
    set_template(turns);
    std::string lines;
    for (int i = 0; i < 12; ++i) lines += conversation(str("Say ", i), str(i));
    write_text(chat_, lines);
  }

  static std::string conversation(const std::string& question, const std::string& answer) {
    nlohmann::json line = {{"messages",
                            {{{"role", "user"}, {"content", question}},
                             {{"role", "assistant"}, {"content", answer}}}}};
    return line.dump() + "\n";
  }

  void set_template(const std::string& text) {
    nlohmann::json json = {{"chat_template", text}, {"eos_token", "<|endoftext|>"}};
    write_text(base_ / "tokenizer_config.json", json.dump());
  }

  ProgramResult run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin() + 1 + (arguments[0] == "data"),
                     write_config(tuning_config).string());
    return run_program(arguments);
  }

  std::string refusal(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"data", "inspect"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    auto result = run(arguments);
    EXPECT_EQ(result.code, 2) << result.out << result.err;
    return result.err;
  }

  fs::path base_ = dir_.path() / "base", chat_ = dir_.path() / "chat.jsonl";
};

void has(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\nexpected: " << part;
}

TEST_F(Samples, ABatchShowsWhatCounts) {
  write_text(chat_, conversation("Say 1", "one") +
                        "{\"prompt\": \"2+2=\", \"completion\": \"4\"}\n" +
                        "{\"text\": \"all of it\"}\n");
  auto result = run({"data", "inspect", "--set", "train.batch=1", "--set", "data.shuffle=false"});
  ASSERT_EQ(result.code, 0) << result.err;
  has(result.out, "user: Say 1<|endoftext|>assistant: ⟪one<|endoftext|>⟫");
  has(result.out, "║2+2=⟪4<|endoftext|>⟫");
  has(result.out, "║a⟪ll of it<|endoftext|>⟫");
  has(result.out, "║<|endoftext|> × ");
  has(result.out, "4 documents, isolated");
  result = run({"data", "inspect", "--color", "always"});
  has(result.out, "\033[32mone<|endoftext|>\033[0m");
}

TEST_F(Samples, ARunTrainsResumesAndKeepsTheTemplate) {
  fs::path one = dir_.path() / "one", other = dir_.path() / "other";
  auto result = run({"train", "--out", one.string(), "--set", "data.validation=0.3", "--set",
                     "train.eval_every=2"});
  ASSERT_EQ(result.code, 0) << result.err;
  has(result.err, "samples in");
  result = run({"train", "--out", other.string(), "--set", "data.validation=0.3", "--set",
                "train.eval_every=2"});
  ASSERT_EQ(result.code, 0) << result.err;
  fs::path last = fs::path("checkpoints") / "step-00000004";
  fs::remove_all(other / last);
  result = run({"train", "--out", other.string(), "--set", "data.validation=0.3", "--set",
                "train.eval_every=2", "--resume"});
  ASSERT_EQ(result.code, 0) << result.err;
  for (const char* name : {"model.safetensors", "anneal_state/state.safetensors"})
    EXPECT_TRUE(read_file(one / last / name) == read_file(other / last / name)) << name;
  EXPECT_EQ(read_file(one / last / "tokenizer_config.json"),
            read_file(base_ / "tokenizer_config.json"));
}

TEST_F(Samples, PreparedShardsTrainTheSame) {
  fs::path shards = dir_.path() / "shards";
  auto made = run_program({"data", "prepare", chat_.string(), "--tokenizer", base_.string(),
                           "--packing", "samples", "--context", "64", "--out", shards.string()});
  ASSERT_EQ(made.code, 0) << made.err;
  auto from_text = run({"data", "inspect"});
  std::string train = "data.train=[\"" + (shards / "train.bin").string() + "\"]";
  auto from_shards = run({"data", "inspect", "--set", train});
  ASSERT_EQ(from_shards.code, 0) << from_shards.err;
  EXPECT_EQ(from_shards.out, from_text.out);
  has(refusal({"--set", train, "--set", "model.context=32"}), "sequences of 64 tokens");
  has(refusal({"--set", train, "--set", "data.packing=stream"}), "data.packing");
  has(refusal({"--set", train, "--set", "data.validation=0.5"}), "no fraction can be held out");
}

TEST_F(Samples, WhatCannotBeLearnedIsRefused) {
  has(refusal({"--set", "data.train=[\"@/text-0.txt\"]"}), "no such file");
  has(refusal({"--set", "data.train=[\"" + (dir_.path() / "text-0.txt").string() + "\"]"}),
      "plain text");
  has(refusal({"--set", "data.tokenizer=bpe:300"}), "data.tokenizer");
  auto line = [&](const std::string& text) {
    write_text(chat_, conversation("Say 1", "one") + text + "\n");
    return refusal();
  };
  has(line("{\"txt\": \"a\"}"), "chat.jsonl:2] expected \"messages\"");
  has(line("{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}"), "chat.jsonl:2]");
  has(line("{"), "chat.jsonl:2]");

  write_text(chat_, conversation(std::string(100, 'a'), "one"));
  has(refusal(), "model.context");

  write_text(chat_, conversation("Say 1", "one"));
  set_template("{% generation %}" + std::string(turns) + "{% endgeneration %}");
  has(refusal(), "every token of every conversation");
  set_template(
      "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
      "{% if add_generation_prompt %}assistant: {% endif %}");
  has(refusal(), "never stop");
  fs::remove(base_ / "tokenizer_config.json");
  has(refusal(), "no chat template");
}

}  // namespace
}  // namespace anneal
