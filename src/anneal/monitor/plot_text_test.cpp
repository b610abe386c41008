#include "anneal/monitor/plot_text.hpp"

#include <gtest/gtest.h>
#include <cmath>
#include <locale>

namespace anneal {
namespace {

// A comma as the decimal point and dots between thousands.
class GermanNumbers : public std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

TEST(PlotText, NumbersAreFixedInAnyLocale) {
  const std::locale before = std::locale::global(std::locale(std::locale(), new GermanNumbers));
  EXPECT_EQ(fixed(1234.5, 2), "1234.50");
  EXPECT_EQ(shortest_fixed(2.5, 3), "2.5");
  EXPECT_EQ(shortest_fixed(1200, 2), "1200");
  EXPECT_EQ(shortest_fixed(-0.001, 2), "0");
  EXPECT_EQ(fixed(NAN, 1), "0");
  EXPECT_EQ(fixed(1e300, 0).size(), 301u);
  std::locale::global(before);
}

TEST(PlotText, QuantitiesHaveTheUnitThatSuits) {
  EXPECT_EQ(format_seconds(0), "0 s");
  EXPECT_EQ(format_seconds(0.0123456), "12.35 ms");
  EXPECT_EQ(format_seconds(85e-6), "85.00 µs");
  EXPECT_EQ(format_seconds(123.44), "123.4 s");
  EXPECT_EQ(format_seconds(4321), "4321 s");
  EXPECT_EQ(format_bytes(0), "0 bytes");
  EXPECT_EQ(format_bytes(1023), "1023 bytes");
  EXPECT_EQ(format_bytes(1536), "1.50 KiB");
  EXPECT_EQ(format_bytes(0x1p30 * 3.25), "3.25 GiB");
  EXPECT_EQ(format_percent(1, 8), "12.5 %");
  EXPECT_EQ(format_percent(1, 1000), "0.10 %");
  EXPECT_EQ(format_percent(1, 0), "0 %");
}

TEST(PlotText, EscapingLeavesNothingThatXmlForbids) {
  EXPECT_EQ(escape_xml("a<b> & \"c\""), "a&lt;b&gt; &amp; &quot;c&quot;");
  EXPECT_EQ(escape_xml("é 語 😀\n"), "é 語 😀\n");
  EXPECT_EQ(escape_xml("\x01\x7F"), "\uFFFD\uFFFD");
  EXPECT_EQ(escape_xml("a\xFFz"), "a\uFFFDz");
  EXPECT_EQ(escape_xml("\xC3"), "\uFFFD");                      // ends too early
  EXPECT_EQ(escape_xml("\xC0\xAF"), "\uFFFD\uFFFD");            // longer than need be
  EXPECT_EQ(escape_xml("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // half of a surrogate pair
  EXPECT_EQ(escape_xml("\xEF\xBF\xBF"), "\uFFFD");              // no character
  EXPECT_EQ(escape_xml(std::string_view("\0x", 2)), "\uFFFDx");
}

TEST(PlotText, ClippedTextFitsAndKeepsWholeCharacters) {
  const std::string name = "h.3.attn.qkv";
  EXPECT_EQ(clip_text(name, text_width(name, 12), 12), name);
  for (double width = 0; width < 100; width += 0.5) {
    const auto clipped = clip_text("éééééééééé", width, 12);
    EXPECT_LE(text_width(clipped, 12), width);
    EXPECT_EQ(escape_xml(clipped), clipped);
  }
  EXPECT_EQ(clip_text(name, 40, 12), "h.3.…");
  EXPECT_EQ(clip_text(name, 15, 12), "");
}

TEST(PlotText, TicksAreRoundAndWithinTheInterval) {
  EXPECT_EQ(round_ticks(0, 10, 6).at, (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(round_ticks(3, 11, 3).at, (std::vector<double>{5, 10}));
  const Ticks fine = round_ticks(0, 0.35, 8);
  EXPECT_EQ(fine.decimals, 2);
  ASSERT_EQ(fine.at.size(), 8u);
  EXPECT_DOUBLE_EQ(fine.at[7], 0.35);
  EXPECT_EQ(fixed(round_ticks(0, 3.3, 8).at[0], 1), "0.0");
  EXPECT_TRUE(round_ticks(1, 1, 5).at.empty());
  EXPECT_TRUE(round_ticks(0, INFINITY, 5).at.empty());
  for (double end = 1e-9; end < 1e12; end *= 1.37) {
    const Ticks ticks = round_ticks(0, end, 8);
    EXPECT_GE(ticks.at.size(), 3u) << end;
    EXPECT_LE(ticks.at.size(), 8u) << end;
    EXPECT_NE(fixed(ticks.at[0], ticks.decimals), fixed(ticks.at[1], ticks.decimals)) << end;
  }
}

}  // namespace
}  // namespace anneal
