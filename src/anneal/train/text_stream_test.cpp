#include "anneal/train/text_stream.hpp"

#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace anneal {
namespace {

std::string all_at_once(std::string_view bytes) {
  Utf8Stream stream;
  std::string text = stream.push(bytes);
  return text + stream.finish();
}

TEST(Utf8Stream, NeverReleasesHalfACharacter) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("a\xC3"), "a");
  EXPECT_EQ(stream.push("\xA9"), "é");
  EXPECT_EQ(stream.push("\xE2"), "");
  EXPECT_EQ(stream.push("\x82"), "");
  EXPECT_EQ(stream.push("\xAC!"), "€!");
  EXPECT_EQ(stream.push("\xF0\x9F\x98"), "");
  EXPECT_EQ(stream.push("\x80"), "😀");
  EXPECT_EQ(stream.finish(), "");
}

TEST(Utf8Stream, ReplacesInvalidBytesAsSoonAsTheyAreKnownToBe) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("\xFF"), "\uFFFD");
  EXPECT_EQ(stream.push("\x80"), "\uFFFD");
  EXPECT_EQ(stream.push("\xE2\x82"), "");
  EXPECT_EQ(stream.push("x"), "\uFFFDx");  // one for the whole unfinished part
  EXPECT_EQ(stream.push("\xC3"), "");
  EXPECT_EQ(stream.push("\xC3"), "\uFFFD");
  EXPECT_EQ(stream.push("\xA9"), "é");
}

TEST(Utf8Stream, FinishReportsAnUnfinishedCharacterOnce) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("ab\xF0\x9F\x98"), "ab");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.finish(), "");
  EXPECT_EQ(stream.push("c"), "c");
}

// The Unicode Standard's tables 3-8 to 3-11, which are Python's bytes.decode(errors="replace") too.
TEST(Utf8Stream, SubstitutesMaximalSubparts) {
  const std::string r = "\uFFFD";
  EXPECT_EQ(all_at_once("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"),
            r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(all_at_once("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"),
            r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(all_at_once("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"),
            r + r + r + r + r + "A" + r + r + "B");
  EXPECT_EQ(all_at_once("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
  EXPECT_EQ(all_at_once("\xF4\x8F\xBF\xBF"), "\U0010FFFF");
  EXPECT_EQ(all_at_once(std::string_view("\0\x7F", 2)), std::string("\0\x7F", 2));
}

TEST(Utf8Stream, AnySplitGivesTheSameText) {
  std::mt19937 random(3);
  const std::vector<std::string> parts = {"a",    "é",        "€",    "😀",
                                          "\xC3", "\xE2\x82", "\xFF", "\xF0\x9F",
                                          "\x80", "\xED\xA0", "\n",   "\xF4\x90"};
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    for (int i = 0; i < 12; ++i) bytes += parts[random() % parts.size()];
    Utf8Stream stream;
    std::string text;
    for (size_t at = 0; at < bytes.size();) {
      size_t count = std::min<size_t>(bytes.size() - at, random() % 4);
      std::string piece = stream.push(std::string_view(bytes).substr(at, count));
      EXPECT_EQ(all_at_once(piece), piece) << "a piece must be valid by itself";
      text += piece;
      at += count;
    }
    text += stream.finish();
    ASSERT_EQ(text, all_at_once(bytes));
  }
}

}  // namespace
}  // namespace anneal
