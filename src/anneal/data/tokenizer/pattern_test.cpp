#include "anneal/data/tokenizer/pattern.hpp"

#include <gtest/gtest.h>

#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer.hpp"

namespace anneal::tokenizing {
namespace {

// Matches in brackets.
std::string marked(const Pattern& pattern, std::string_view text) {
  std::string out;
  for (Span span : pattern.find(text)) {
    std::string part(text.substr(span.begin, span.end - span.begin));
    out += span.match ? "[" + part + "]" : part;
  }
  return out;
}

std::string refusal(std::string_view expression) {
  try {
    (void)Pattern::regex(expression);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Pattern, FixedTexts) {
  EXPECT_EQ(marked(Pattern::fixed("aa"), "aaab.aa"), "[aa]ab.[aa]");
  EXPECT_EQ(marked(Pattern::fixed("."), "a.b"), "a[.]b");
  EXPECT_EQ(marked(Pattern::fixed("x"), ""), "");
}

TEST(Pattern, RegularExpressions) {
  EXPECT_EQ(marked(Pattern::regex(R"(\p{L}+)"), "ab, é1"), "[ab], [é]1");
  EXPECT_EQ(marked(Pattern::regex(R"(\s+(?!\S))"), "a  b "), "a[ ] b[ ]");
  EXPECT_EQ(marked(Pattern::regex(R"((?i:'s))"), "it'S 's"), "it['S] ['s]");
  EXPECT_EQ(marked(Pattern::regex(R"([^\r\n\p{L}\p{N}]?+\p{L}+)"), "1-ab"), "1[-ab]");
  EXPECT_EQ(marked(Pattern::regex("^a|b$"), "a\na b\nb"), "[a]\n[a] [b]\n[b]");
  // Oniguruma's two ideas of a word.
  EXPECT_EQ(marked(Pattern::regex(R"(\w+)"), "a½²x-"), "[a½²x]-");
  EXPECT_EQ(marked(Pattern::regex(R"([\w]+)"), "a½²x-"), "[a]½²[x]-");
  EXPECT_EQ(marked(Pattern::regex(R"(\W+)"), "a½ -x"), "a½[ -]x");
  // An empty match counts, but not right after another match.
  EXPECT_EQ(marked(Pattern::regex("b*"), "abé"), "[]a[b]é[]");
}

TEST(Pattern, RefusesWhatMayDiffer) {
  for (const char* expression : {R"(\b)", R"((a)\1)", R"(a{2}+)", "[a[b]]", "[a&&b]", "(?m:.)",
                                 R"(\h)", R"([^\W])", "(*UTF)", R"(\)", "[]a]", R"(\pL)"})
    EXPECT_NE(refusal(expression).find("not supported"), std::string::npos) << expression;
  EXPECT_NE(refusal("(a").find("PCRE2 says"), std::string::npos);
  EXPECT_NE(refusal(std::string(10000, 'a')).find("longer than"), std::string::npos);
}

TEST(Pattern, RunawayMatchesAreErrors) {
  Pattern pattern = Pattern::regex("(a|aa|aaa)*(b|bb)*[cd]");
  EXPECT_THROW((void)pattern.find(std::string(4000, 'a')), Error);
}

std::string with_normalizer(const std::string& normalizer) {
  return R"({"normalizer": )" + normalizer +
         R"(, "decoder": {"type": "Fuse"},
             "model": {"type": "BPE", "vocab": {"a": 0, "<0x0A>": 1}, "merges": [],
                       "byte_fallback": true}})";
}

TEST(Pipeline, NormalizersThatGrowAreStopped) {
  std::string twice = R"({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"})", all;
  for (int i = 0; i < 40; ++i) all += (i ? "," : "") + twice;
  std::string sequence = R"({"type": "Sequence", "normalizers": [)" + all + "]}";
  Tokenizer tokenizer = Tokenizer::from_json(with_normalizer(sequence), "test");
  EXPECT_THROW((void)tokenizer.encode("a"), Error);
  EXPECT_TRUE(tokenizer.encode("").empty());
}

TEST(Pipeline, UnknownCharactersWithoutUnknownTokenVanish) {
  Tokenizer tokenizer = Tokenizer::from_json(with_normalizer("null"), "test");
  EXPECT_EQ(tokenizer.encode("axa\n"), (std::vector<int32_t>{0, 0, 1}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("a\n")),
            "a<0x0A>");  // no ByteFallback in its decoder
  EXPECT_EQ(tokenizer.last_cut("a a a"), 0u);
}

}  // namespace
}  // namespace anneal::tokenizing
