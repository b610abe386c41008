#include "anneal/data/tokenizer/splitter.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "anneal/base/rng.hpp"
#include "anneal/data/tokenizer.hpp"
#include "anneal/data/tokenizer/byte_level.hpp"
#include "anneal/data/tokenizer/utf8.hpp"

namespace anneal::bpe {
namespace {

using Words = std::vector<std::string>;
using Method = Splitter::Method;

Words split(std::string_view text, Method method = Method::fast) {
  Words words;
  Splitter splitter(text, method);
  for (std::string_view w = splitter.next(); !w.empty(); w = splitter.next()) words.emplace_back(w);
  return words;
}

std::string utf8(uint32_t c) {
  std::string s;
  auto tail = [&](int shift) { s += static_cast<char>(0x80 | (c >> shift & 0x3F)); };
  if (c < 0x80) return std::string(1, static_cast<char>(c));
  if (c < 0x800) return s += static_cast<char>(0xC0 | c >> 6), tail(0), s;
  if (c < 0x10000) return s += static_cast<char>(0xE0 | c >> 12), tail(6), tail(0), s;
  return s += static_cast<char>(0xF0 | c >> 18), tail(12), tail(6), tail(0), s;
}

// Random text that is rich in what the pattern tells apart.
std::string random_text(uint64_t seed, int pieces) {
  static const std::string kinds[] = {" ",
                                      "  ",
                                      "\n",
                                      "\t",
                                      "a",
                                      "Z",
                                      "'s",
                                      "'ll",
                                      "'r",
                                      "'",
                                      "re",
                                      "9",
                                      "0",
                                      ".",
                                      "!?",
                                      "é",
                                      "日",
                                      "½",
                                      "\u00a0",
                                      "\u3000",
                                      "\u2028",
                                      "🙂",
                                      "\xff",
                                      "\xe2\x82",
                                      "\xc0",
                                      "\x80",
                                      "'D",
                                      "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80",
                                      "\u180e",
                                      "\r\n",
                                      std::string(1, '\0'),
                                      "\u0301"};
  std::string text;
  for (int i = 0; i < pieces; ++i) text += kinds[philox(seed, i, 0)[0] % std::size(kinds)];
  return text;
}

TEST(Splitter, CutsAsGpt2Does) {
  EXPECT_EQ(split("Hello world, it's 2024!"),
            (Words{"Hello", " world", ",", " it", "'s", " 2024", "!"}));
  EXPECT_EQ(split("I'LL we'll  x\n\n y \n"),
            (Words{"I", "'", "LL", " we", "'ll", " ", " x", "\n\n", " y", " \n"}));
  EXPECT_EQ(split("'''s 'tis"), (Words{"'''", "s", " '", "tis"}));
  EXPECT_EQ(split("naïve½ —日本1"), (Words{"naïve", "½", " —", "日本", "1"}));
  EXPECT_EQ(split("a \u3000\u00a0b"), (Words{"a", " \u3000", "\u00a0", "b"}));
  EXPECT_EQ(split(""), Words{});
}

TEST(Splitter, InvalidBytesAreWordsOfTheirOwn) {
  EXPECT_EQ(split("ab\xff\xfe yz"), (Words{"ab", "\xff", "\xfe", " yz"}));
  EXPECT_EQ(split("a  \xe2\x82"), (Words{"a", "  ", "\xe2", "\x82"}));
  EXPECT_EQ(split("\xed\xa0\x80"), (Words{"\xed", "\xa0", "\x80"}));  // a surrogate
  EXPECT_EQ(split("\xc0\xaf"), (Words{"\xc0", "\xaf"}));              // overlong
  EXPECT_EQ(split("\xf4\x90\x80\x80").size(), 4u);                    // above U+10FFFF
  EXPECT_EQ(split("\xf4\x8f\xbf\xbf").size(), 1u);                    // U+10FFFF
}

TEST(Splitter, BothMethodsCutAlike) {
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    std::string text = random_text(seed, 1 + seed % 40), joined;
    Words words = split(text);
    ASSERT_EQ(words, split(text, Method::pattern_only)) << to_byte_level(text);
    for (const std::string& word : words) joined += word;
    ASSERT_EQ(joined, text);
  }
  // All strings of up to four of these.
  const std::string alphabet = " \na1'.sl";
  std::string text;
  for (size_t n = 0; n < 8 * 8 * 8 * 8; ++n) {
    text.clear();
    for (size_t rest = n; rest > 0; rest /= 8) text += alphabet[rest % 8];
    ASSERT_EQ(split(text), split(text, Method::pattern_only)) << to_byte_level(text);
  }
}

// Hugging Face's tokenizers 0.23 (Unicode 16) tells apart 141,028 letters, 1,911 numbers and 25
// characters of white space. A newer PCRE2 may know more letters and numbers.
TEST(Splitter, KnowsEveryCharacter) {
  int letters = 0, numbers = 0, spaces = 0;
  auto joins = [](const std::string& text) {
    return split(text, Method::pattern_only).size() == 1;
  };
  for (uint32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string character = utf8(c);
    ASSERT_EQ(utf8_char(character, 0).code, c);
    bool letter = joins("a" + character), number = !letter && joins("1" + character);
    bool space = !letter && !number && !joins("!" + character);
    ASSERT_EQ(space, is_white_space(c)) << std::hex << c;
    letters += letter, numbers += number, spaces += space;
  }
  EXPECT_EQ(spaces, 25);
  EXPECT_GE(letters, 141028);
  EXPECT_GE(numbers, 1911);
  EXPECT_LE(letters, 160000);
  EXPECT_LE(numbers, 2500);
}

TEST(Splitter, LongRunsAreOneWord) {
  for (std::string unit : {"a", "é", "7", "½", "!", "—", " ", "\u3000"}) {
    std::string text;
    while (text.size() < 1 << 20) text += unit;
    EXPECT_EQ(split(text).size(), 1u) << unit;
    EXPECT_EQ(split(text, Method::pattern_only).size(), 1u) << unit;
  }
  EXPECT_EQ(split(std::string(1 << 20, '\xff')).size(), size_t{1} << 20);
}

TEST(LastWordCut, NeverChangesTheWords) {
  int cuts = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    std::string text = random_text(seed, 30);
    for (std::string_view block :
         {std::string_view(text), std::string_view(text).substr(0, text.size() / 2)}) {
      size_t cut = last_word_cut(block);
      if (cut == 0) continue;
      ++cuts;
      Words words = split(std::string_view(text).substr(0, cut));
      for (std::string& word : split(std::string_view(text).substr(cut))) words.push_back(word);
      ASSERT_EQ(words, split(text)) << to_byte_level(text) << " cut at " << cut;
    }
  }
  EXPECT_GT(cuts, 3000);
  EXPECT_EQ(last_word_cut("one two three"), 7u);
  EXPECT_EQ(last_word_cut("one two \n "), 7u);
  EXPECT_EQ(last_word_cut("one"), 0u);
  EXPECT_EQ(last_word_cut(" one"), 0u);
  EXPECT_EQ(last_word_cut("\u3000 x"), 0u);
  EXPECT_EQ(last_word_cut("é x"), 2u);
  EXPECT_EQ(last_word_cut("\xa0 x"), 1u);
  EXPECT_EQ(last_word_cut(""), 0u);
}

TEST(ByteLevel, EveryByteHasACharacter) {
  std::string all;
  for (int b = 0; b < 256; ++b) all += static_cast<char>(b);
  EXPECT_EQ(from_byte_level(to_byte_level(all)), all);
  EXPECT_EQ(to_byte_level(" \n!~\x7f\xad\xff"), "ĠĊ!~ġŃÿ");
  EXPECT_EQ(byte_in_order(0), '!');
  EXPECT_EQ(byte_in_order(188), 0);
  EXPECT_EQ(byte_in_order(220), ' ');  // GPT-2's id of the space
  EXPECT_FALSE(from_byte_level("a b"));
  EXPECT_FALSE(from_byte_level("\u0144"));
  EXPECT_FALSE(from_byte_level("日"));
  EXPECT_FALSE(from_byte_level("\xff"));
}

}  // namespace
}  // namespace anneal::bpe
