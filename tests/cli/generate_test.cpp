// anneal generate, with a model that was trained to answer one question.

#include <memory>
#include <nlohmann/json.hpp>

#include "config_files.hpp"
#include "run_program.hpp"

namespace anneal {
namespace {

constexpr const char* answering_config = R"(name = "answers"
[model]
family = "llama"
layers = 2
heads = 2
width = 32
hidden = 64
context = 40
[data]
train = ["@/dialogues.jsonl"]
validation = 0
tokenizer = "byte"
[train]
steps = 150
batch = 8
micro_batch = 8
sample_every = 0
eval_every = 0
[optimizer]
lr = 0.01
[schedule]
kind = "constant"
warmup_steps = 5
[parallel]
threads = 1
)";

constexpr const char* chat_template =
    "{% for m in messages %}{{ {'system': 'S', 'user': 'Q'}[m.role] }}:{{ m.content }}\n"
    "{% endfor %}{% if add_generation_prompt %}A:{% endif %}";

class GenerateCommand : public ConfigFiles {
 protected:
  // Trained once, for all tests of this file.
  static void SetUpTestSuite() {
    GenerateCommand made;
    kept_ = std::make_unique<TemporaryDirectory>();
    std::string lines;
    for (int i = 0; i < 200; ++i)
      lines +=
          "{\"text\": \"Q:ping\\nA:the pöng\"}\n{\"text\": \"S:loud\\nQ:ping\\nA:THE PONG\"}\n";
    write_text(made.dir_.path() / "dialogues.jsonl", lines);
    auto run = made.dir_.path() / "run";
    auto result =
        run_program({"train", made.write_config(answering_config).string(), "--out", run.string()});
    ASSERT_EQ(result.code, 0) << result.err;
    fs::copy(run / "checkpoints" / "step-00000150", plain(), fs::copy_options::recursive);
    fs::copy(plain(), chat(), fs::copy_options::recursive);
    write_text(chat() / "chat_template.jinja", chat_template);
  }
  static void TearDownTestSuite() { kept_.reset(); }
  void TestBody() override {}

  static fs::path plain() { return kept_->path() / "plain"; }
  static fs::path chat() { return kept_->path() / "chat"; }

  static ProgramResult generate(const fs::path& model, std::vector<std::string> more) {
    std::vector<std::string> arguments = {
        "generate", "--model", model.string(), "--temperature", "0", "--threads", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  }
  static nlohmann::json json_of(const fs::path& model, std::vector<std::string> more) {
    more.push_back("--json");
    auto result = generate(model, more);
    EXPECT_EQ(result.code, 0) << result.err;
    return nlohmann::json::parse(result.out, nullptr, false);
  }

  static std::unique_ptr<TemporaryDirectory> kept_;
};

std::unique_ptr<TemporaryDirectory> GenerateCommand::kept_;

TEST_F(GenerateCommand, AnswersInTheWordsOfTheChatTemplate) {
  auto result = generate(chat(), {"--chat", "--prompt", "ping"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out, "the pöng\n");
  EXPECT_NE(result.err.find("the model ended the text"), std::string::npos) << result.err;
  auto json = json_of(chat(), {"--chat", "--system", "loud", "--prompt", "ping"});
  EXPECT_EQ(json["text"], "THE PONG");
  EXPECT_EQ(json["prompt"], "ping");
  EXPECT_EQ(json["prompt_tokens"], std::string_view("S:loud\nQ:ping\nA:").size());
  EXPECT_EQ(json["ended"], true);
  EXPECT_EQ(json["stop_reason"], "end_of_text");
  result = generate(chat(), {"--prompt", "Q:ping\nA:"});
  EXPECT_EQ(result.out, "Q:ping\nA:the pöng\n");
}

TEST_F(GenerateCommand, RefusesChatWithoutATemplate) {
  auto refusal = [](const fs::path& model, std::vector<std::string> more) {
    more.insert(more.begin(), {"--prompt", "ping"});
    auto result = generate(model, more);
    EXPECT_EQ(result.code, 2) << result.err;
    EXPECT_EQ(result.out, "");
    return result.err;
  };
  auto has = [](const std::string& message, const char* part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  has(refusal(plain(), {"--chat"}), "has no chat template");
  has(refusal(chat(), {"--system", "loud"}), "[--system] expected --chat");
  has(refusal(chat(), {"--stop", ""}), "[--stop] expected some text");
}

TEST_F(GenerateCommand, EndsBeforeAStopString) {
  auto ends = [](std::vector<std::string> stops, const char* text, const char* reason) {
    std::vector<std::string> arguments = {"--prompt", "Q:ping\nA:"};
    for (const std::string& stop : stops) arguments.insert(arguments.end(), {"--stop", stop});
    auto json = json_of(plain(), arguments);
    EXPECT_EQ(json["text"], text);
    EXPECT_EQ(json["stop_reason"], reason);
    EXPECT_EQ(json["ended"], std::string_view(reason) == "end_of_text");
  };
  ends({"pö"}, "the ", "stop");
  ends({"pong", "ng"}, "the pö", "stop");
  ends({"the pöng"}, "", "stop");
  ends({"the pöng!"}, "the pöng", "end_of_text");
  // A token is a byte here: the third last is the first half of a character.
  auto json = json_of(plain(), {"--prompt", "Q:ping\nA:", "--stop", "ö", "--max-tokens", "6"});
  EXPECT_EQ(json["text"], "the p\uFFFD");
  EXPECT_EQ(json["stop_reason"], "length");
  auto result = generate(plain(), {"--prompt", "Q:ping\nA:", "--stop", " p"});
  EXPECT_EQ(result.out, "Q:ping\nA:the\n");
  EXPECT_NE(result.err.find("ended by a stop string"), std::string::npos) << result.err;
}

// Caches are made for the prompt and --max-tokens, not for the model's whole context.
TEST_F(GenerateCommand, RoomForFewerTokensChangesNone) {
  auto tokens = [](const char* count) {
    return json_of(plain(), {"--prompt", "Q:ping\nA:", "--max-tokens", count})["tokens"];
  };
  auto all = tokens("100");
  ASSERT_GT(all.size(), 4u);
  for (size_t count : {1, 4})
    EXPECT_EQ(tokens(str(count).c_str()),
              nlohmann::json(std::vector(all.begin(), all.begin() + count)));
  EXPECT_EQ(tokens("0"), nlohmann::json::array());
  EXPECT_EQ(tokens("9223372036854775807"), all);
}

}  // namespace
}  // namespace anneal
