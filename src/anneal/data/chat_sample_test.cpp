#include "anneal/data/chat_sample.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"

namespace anneal {
namespace {

constexpr const char* kChatml =
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

// Bytes, and the two tokens of ChatML: 256 and 257.
Tokenizer chat_tokenizer() {
  BpeTrainer trainer(
      {.vocab_size = 258, .special_tokens = {"<|im_start|>", "<|im_end|>"}, .threads = 1});
  trainer.feed("some text");
  return trainer.train();
}

ChatTemplate chat_template(std::string source = kChatml) {
  ChatTemplate chat = ChatTemplate::parse(source, "chatml");
  chat.set_token("eos_token", "<|im_end|>");
  return chat;
}

// What counts, in brackets.
std::string marked(const TextSample& sample) {
  std::string out;
  size_t at = 0;
  for (ByteSpan span : sample.supervised) {
    out += sample.text.substr(at, span.begin - at) + "[";
    out += sample.text.substr(span.begin, span.end - span.begin) + "]";
    at = span.end;
  }
  return out + sample.text.substr(at);
}

TextSample read(const std::string& json, const std::string& source = kChatml) {
  ChatTemplate chat = chat_template(source);
  return read_text_sample(json, &chat, "data.jsonl", 7);
}

std::string error_of(const std::string& json, const std::string& source = kChatml) {
  try {
    TextSample sample = read(json, source);
    (void)tokenise_sample(sample, chat_tokenizer(), std::vector<int32_t>{257}, "data.jsonl", 7);
    return "";
  } catch (const UsageError& error) {
    return error.what();
  }
}

constexpr const char* kTurn =
    R"({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}]})";

TEST(ChatSample, KindsOfLines) {
  EXPECT_EQ(marked(read(kTurn)),
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n[Yes<|im_end|>]\n");
  EXPECT_EQ(marked(read(R"({"prompt": "a é", "completion": " b", "id": 3})")), "a é[ b]");
  EXPECT_EQ(marked(read(R"({"text": "all"})")), "[all]");
  EXPECT_EQ(marked(read(R"({"prompt": [{"role": "user", "content": "1"},
      {"role": "assistant", "content": "2"}, {"role": "user", "content": "3"}],
      "completion": [{"role": "assistant", "content": "4"}]})")),
            "<|im_start|>user\n1<|im_end|>\n<|im_start|>assistant\n2<|im_end|>\n"
            "<|im_start|>user\n3<|im_end|>\n<|im_start|>assistant\n[4<|im_end|>]\n");
}

TEST(ChatSample, TokensAndMask) {
  Tokenizer tokenizer = chat_tokenizer();
  std::vector<int32_t> end_ids{257};
  TokenSample sample = tokenise_sample(read(kTurn), tokenizer, end_ids, "f", 1);
  ASSERT_EQ(sample.tokens.size(), sample.supervised.size());
  std::vector<int32_t> learned;
  for (size_t i = 0; i < sample.tokens.size(); ++i)
    if (sample.supervised[i]) learned.push_back(sample.tokens[i]);
  EXPECT_EQ(tokenizer.decode(learned), "Yes<|im_end|>");
  EXPECT_EQ(learned.size(), 4u);
  EXPECT_EQ(tokenizer.decode(sample.tokens), read(kTurn).text);

  sample =
      tokenise_sample(read(R"({"prompt": "ab", "completion": "c"})"), tokenizer, end_ids, "f", 1);
  EXPECT_EQ(sample.tokens.back(), 257);
  EXPECT_EQ(sample.supervised, (std::vector<uint8_t>{0, 0, 1, 1}));
  sample = tokenise_sample(read(R"({"text": "ab"})"), tokenizer, end_ids, "f", 1);
  EXPECT_EQ(sample.supervised, (std::vector<uint8_t>{1, 1, 1}));
}

TEST(ChatSample, Refused) {
  auto says = [](const std::string& error, const char* what) {
    EXPECT_TRUE(error.starts_with("[data.jsonl:7] ")) << error;
    EXPECT_NE(error.find(what), std::string::npos) << error;
  };
  says(error_of(R"({"instruction": "a", "output": "b"})"), R"("instruction", "output")");
  says(error_of(R"({"prompt": "a"})"), R"(got "prompt")");
  says(error_of("[1]"), "expected a JSON object");
  says(error_of("{"), "not valid JSON");
  says(error_of(R"({"text": 3})"), "expected a string");
  says(error_of(R"({"messages": []})"), "no messages");
  says(error_of(R"({"messages": [{"content": "a"}]})"), "\"role\"");
  says(error_of(R"({"messages": [{"role": "user", "content": "a"}]})"), "nothing");
  says(error_of(R"({"messages": [{"role": "user"}]})"), "[chatml:");
  says(error_of(R"({"prompt": "a", "completion": []})"), "two strings");
  EXPECT_THROW((void)read_text_sample(kTurn, nullptr, "f", 1), UsageError);
}

// What goes wrong in a template is noticed, or changes the mask as it should.
TEST(ChatSample, ChangedTemplates) {
  auto changed = [](const std::string& from, const std::string& to) {
    std::string source = kChatml;
    source.replace(source.find(from), from.size(), to);
    return source;
  };
  EXPECT_NE(error_of(kTurn, changed("+ '<|im_end|>' ", "")).find("never stop"), std::string::npos);
  EXPECT_NE(error_of(kTurn, changed("<|im_end|>", "<|end|>")).find("never stop"),
            std::string::npos);
  // Without a prompt of its own, the model writes the header too.
  EXPECT_EQ(marked(read(kTurn, changed("{{ '<|im_start|>assistant\n' }}", ""))),
            "<|im_start|>user\nHi<|im_end|>\n[<|im_start|>assistant\nYes<|im_end|>]\n");
  // A prompt that no conversation has.
  EXPECT_NE(error_of(kTurn, changed("<|im_start|>assistant", "<|im_start|>model")).find("chatml"),
            std::string::npos);
  EXPECT_NE(error_of(kTurn, changed("m.role", "loop.length ~ m.role")).find("cannot tell"),
            std::string::npos);
  EXPECT_EQ(error_of(kTurn), "");
}

TEST(ChatSample, TemplateOfADirectory) {
  TemporaryDirectory directory;
  EXPECT_FALSE(load_chat_template(directory.path()));
  auto write = [&](const char* name, const char* text) {
    write_file_atomically(directory.path() / name, text);
  };
  ChatRequest request;
  write("tokenizer_config.json", R"({"chat_template": "{{ bos_token }}a{{ eos_token }}",
      "bos_token": {"content": "<s>"}, "eos_token": "</s>", "pad_token": null})");
  EXPECT_EQ(load_chat_template(directory.path())->render(request), "<s>a</s>");
  EXPECT_EQ(load_chat_template(directory.path())->eos_token(), "</s>");
  write("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "t"},
      {"name": "default", "template": "d"}]})");
  EXPECT_EQ(load_chat_template(directory.path())->render(request), "d");
  write("chat_template.jinja", "j");
  EXPECT_EQ(load_chat_template(directory.path())->render(request), "j");
  write("chat_template.jinja", "{% include 'x' %}");
  EXPECT_THROW(load_chat_template(directory.path()), FormatError);
}

// Templates that would take for ever, or all memory.
TEST(ChatTemplateLimits, HostileTemplatesEnd) {
  for (const char* source :
       {"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 10**12 }}", "{{ range(10**9) }}", "{{ [0] * 10**12 }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% set n = namespace(l=[]) %}{% for i in range(999) %}{% set n.l = [n.l] %}{% endfor %}",
        "{% set n = namespace(l=['x']) %}{% for i in range(99) %}{% set n.l = [n.l, n.l] %}"
        "{% endfor %}{{ n.l }}",
        "{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor "
        "%}",
        "{{ 10**10 * 10**10 }}"})
    EXPECT_THROW((void)ChatTemplate::parse(source, "t").render({}), FormatError) << source;
  for (std::string_view open : {"(", "[", "-", "not ", "{{", "{% if x %}", "x|"}) {
    std::string source = open.starts_with("{") ? "" : "{{ ";
    for (int i = 0; i < 100000; ++i) source += open;
    EXPECT_THROW((void)ChatTemplate::parse(source, "t"), FormatError) << open;
  }
  std::string chain = "{{ 1";
  for (int i = 0; i < 100000; ++i) chain += "+1";
  EXPECT_THROW((void)ChatTemplate::parse(chain + " }}", "t"), FormatError);
}

}  // namespace
}  // namespace anneal
