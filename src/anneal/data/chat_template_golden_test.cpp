// What transformers makes of conversations with the chat templates of many families;
// tests/golden/generate_chat_templates.py writes the file.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "anneal/base/file.hpp"
#include "anneal/data/chat_template.hpp"

namespace anneal {
namespace {

using Json = nlohmann::ordered_json;

Json read_golden() {
  return Json::parse(read_file(ANNEAL_SOURCE_DIR "/tests/golden/chat_templates.json"));
}

// The time that the file was written at.
std::tm golden_time() {
  std::tm now{};
  now.tm_year = 2026 - 1900;
  now.tm_mon = 2;
  now.tm_mday = 7;
  now.tm_hour = 9;
  now.tm_min = 5;
  now.tm_sec = 2;
  now.tm_wday = 6;
  now.tm_yday = 65;
  return now;
}

ChatRequest request_of(const Json& json) {
  ChatRequest request;
  request.messages = jinja::parse_json(json["messages"].dump());
  if (json.contains("tools")) request.tools = jinja::parse_json(json["tools"].dump());
  request.add_generation_prompt = json.value("add_generation_prompt", false);
  if (json.contains("variables"))
    request.variables = jinja::parse_json(json["variables"].dump()).as_dict();
  return request;
}

ChatTemplate template_of(const Json& c) {
  ChatTemplate chat = ChatTemplate::parse(c["template"].get<std::string>(), c["name"]);
  for (const auto& token : c["tokens"].items()) chat.set_token(token.key(), token.value());
  chat.set_now(golden_time());
  return chat;
}

TEST(ChatTemplateGolden, TextsAndRefusals) {
  Json golden = read_golden();
  size_t texts = 0, refusals = 0;
  for (const Json& c : golden["cases"]) {
    ChatTemplate chat = template_of(c);
    for (size_t i = 0; i < golden["requests"].size(); ++i) {
      SCOPED_TRACE(c["name"].get<std::string>() + " " + std::to_string(i));
      const Json& result = c["results"][i];
      ChatRequest request = request_of(golden["requests"][i]);
      if (result.contains("text")) {
        ++texts;
        try {
          EXPECT_EQ(chat.render(request), result["text"].get<std::string>());
        } catch (const Error& error) {
          ADD_FAILURE() << error.what();
        }
      } else {
        ++refusals;
        EXPECT_THROW((void)chat.render(request), Error) << result["error"];
      }
    }
  }
  EXPECT_GE(texts, 400u);
  EXPECT_GE(refusals, 100u);
}

// What the template marks, and what is found without marks where that is possible at all.
TEST(ChatTemplateGolden, Spans) {
  Json golden = read_golden();
  size_t derived = 0;
  for (const Json& c : golden["cases"]) {
    if (!c["marked"].get<bool>()) continue;
    const Json* plain = nullptr;
    for (const Json& other : golden["cases"])
      if (other["name"] == c["name"] && !other["marked"].get<bool>()) plain = &other;
    ASSERT_TRUE(plain);
    for (size_t i = 0; i < golden["requests"].size(); ++i) {
      SCOPED_TRACE(c["name"].get<std::string>() + " " + std::to_string(i));
      const Json& result = c["results"][i];
      if (!result.contains("text")) continue;
      std::vector<ByteSpan> spans;
      for (const Json& span : result["spans"]) spans.push_back({span[0], span[1]});
      ChatRequest request = request_of(golden["requests"][i]);
      EXPECT_EQ(template_of(c).render_with_spans(request).assistant, spans);
      ChatTemplate unmarked = template_of(*plain);
      if (unmarked.render(request) != result["text"].get<std::string>()) continue;
      try {
        EXPECT_EQ(unmarked.render_with_spans(request).assistant, spans);
        derived += !spans.empty();
      } catch (const UsageError& error) {
        // Without a message before it, Llama 3's template leaves out the first token of all.
        EXPECT_EQ(golden["requests"][i]["messages"][0]["role"], "assistant") << error.what();
      }
    }
  }
  EXPECT_GE(derived, 30u);
}

TEST(ChatTemplateGolden, Snippets) {
  Json golden = read_golden();
  for (const Json& snippet : golden["snippets"]) {
    SCOPED_TRACE(snippet["template"].get<std::string>());
    ChatRequest request;
    request.variables = jinja::parse_json(golden["variables"].dump()).as_dict();
    try {
      ChatTemplate chat = ChatTemplate::parse(snippet["template"].get<std::string>(), "snippet");
      chat.set_now(golden_time());
      std::string text = chat.render(request);
      ASSERT_TRUE(snippet.contains("text")) << text << " for " << snippet["error"];
      EXPECT_EQ(text, snippet["text"].get<std::string>());
    } catch (const Error& error) {
      EXPECT_TRUE(snippet.contains("error")) << error.what();
    }
  }
}

}  // namespace
}  // namespace anneal
