#include "anneal/data/choice_task.hpp"

#include <gtest/gtest.h>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"

namespace anneal {
namespace {

using Texts = std::vector<std::string>;

TEST(ChoiceTask, HellaSwagIsPreparedAsTheHarnessDoes) {
  auto item = parse_choice_item(
      R"({"ind": 24, "activity_label": "Roof shingle removal", "ctx_a": "A man  is sitting on a roof.",
          "ctx_b": "he TURNS [substeps] around", "ctx": "unused", "split": "val",
          "endings": [" is using wrap. ", "is [title] ripping [x] tiles", "a [b", "c   d]"],
          "label": "3"})",
      "f:1");
  EXPECT_EQ(item.query, "Roof shingle removal: A man is sitting on a roof. He turns around");
  EXPECT_EQ(item.choices, (Texts{"is using wrap.", "is. ripping tiles", "a [b", "c  d]"}));
  EXPECT_EQ(item.gold, 3u);
  EXPECT_EQ(item.where, "f:1");
  item = parse_choice_item(
      R"({"ctx": "[header] How to sleep [title] Lie down. [step]", "endings": ["a", "b\n[c\n]"],
          "label": 0})",
      "f:2");
  EXPECT_EQ(item.query, " How to sleep. Lie down. ");
  EXPECT_EQ(item.choices, (Texts{"a", "b\n[c\n]"}));
}

TEST(ChoiceTask, ThePlainFormIsTakenAsItIs) {
  auto item = parse_choice_item(
      R"({"query": " Q: [2]  +2?\nA:", "choices": [" 4", "5 [title]", "é"], "gold": 2})", "f:1");
  EXPECT_EQ(item.query, " Q: [2]  +2?\nA:");
  EXPECT_EQ(item.choices, (Texts{" 4", "5 [title]", "é"}));
  EXPECT_EQ(item.gold, 2u);
}

TEST(ChoiceTask, WhatIsWrongIsNamed) {
  auto message = [](std::string_view json) -> std::string {
    try {
      parse_choice_item(json, "f.jsonl:7");
    } catch (const FormatError& error) {
      return error.what();
    }
    return "accepted";
  };
  auto has = [&](std::string_view json, const char* part) {
    std::string text = message(json);
    EXPECT_TRUE(text.starts_with("[f.jsonl:7")) << text;
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  has("{", "JSON");
  has("[1]", "object");
  has(R"({"query": "a", "gold": 0})", "endings");
  has(R"({"endings": ["a", "b"], "label": 0})", "ctx");
  has(R"({"ctx_a": "x", "endings": ["a", "b"], "label": 0})", "ctx_b");
  has(R"({"ctx": "x", "endings": ["a", "b"]})", "label");
  has(R"({"ctx": "x", "endings": ["a", "b"], "label": 2})", "0 to 1");
  has(R"({"ctx": "x", "endings": ["a", "b"], "label": "2"})", "0 to 1");
  has(R"({"ctx": "x", "endings": ["a", "b"], "label": ""})", "0 to 1");
  has(R"({"ctx": "x", "endings": ["a", "b"], "label": -1})", "0 to 1");
  has(R"({"ctx": "x", "endings": ["a", "b"], "label": 0.5})", "0 to 1");
  has(R"({"ctx": "x", "endings": ["a"], "label": 0})", "two or more");
  has(R"({"ctx": "x", "endings": ["a", " "], "label": 0})", "endings[1]");
  has(R"({"ctx": "x", "endings": ["a", "[b]"], "label": 0})", "expected some text");
  has(R"({"ctx": "x", "endings": ["a", 5], "label": 0})", "string");
  has(R"({"ctx": "[x]", "endings": ["a", "b"], "label": 0})", "before the choices");
  has(R"({"query": "x", "choices": "ab", "gold": 0})", "array");
  has(R"({"choices": ["a", "b"], "gold": 0})", "query");
}

TEST(ChoiceTask, AFileHasOneQuestionALine) {
  TemporaryDirectory dir;
  auto file = dir.path() / "task.jsonl";
  std::string line = R"({"query": "a", "choices": ["b", "c"], "gold": 1})";
  FileWriter(file).write(line + "\n\n  \r\n" + line + "\r\n" + line);
  auto items = read_choice_task(file, 0);
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(items[1].where, file.string() + ":4");
  EXPECT_EQ(read_choice_task(file, 2).size(), 2u);
  FileWriter(file).write("\n");
  EXPECT_THROW(read_choice_task(file, 0), UsageError);
  EXPECT_THROW(read_choice_task(dir.path() / "none", 0), Error);
}

}  // namespace
}  // namespace anneal
