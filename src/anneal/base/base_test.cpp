#include <gtest/gtest.h>
#include <cmath>
#include <limits>

#include "anneal/base/dtype.hpp"
#include "anneal/base/file.hpp"
#include "anneal/base/hash.hpp"
#include "anneal/base/rng.hpp"
#include "anneal/base/shape.hpp"

namespace anneal {
namespace {

TEST(Bf16, RoundsToNearestEven) {
  EXPECT_EQ(float(bf16(1.0f)), 1.0f);
  // 1 + 2^-8 lies half way between 1 and 1 + 2^-7: the even one is 1.
  EXPECT_EQ(float(bf16(1.0f + 0x1p-8f)), 1.0f);
  EXPECT_EQ(float(bf16(1.0f + 0x1p-7f + 0x1p-8f)), 1.0f + 0x1p-6f);
  EXPECT_EQ(float(bf16(std::numeric_limits<float>::max())), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(float(bf16(std::numeric_limits<float>::quiet_NaN()))));
}

TEST(Philox, KnownAnswers) {
  // From the Random123 distribution's kat_vectors.
  EXPECT_EQ(philox(0, 0, 0),
            (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(~0ull, ~0ull, ~0ull),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(Philox, NormalHasMeanZeroAndVarianceOne) {
  double sum = 0, squares = 0;
  constexpr int n = 100000;
  for (int i = 0; i < n; ++i)
    for (double x : normal_pair(philox(7, i, 0))) sum += x, squares += x * x;
  // Standard errors: 1/sqrt(2n) = 0.0022 and sqrt(2/2n) = 0.0032; four of each.
  EXPECT_NEAR(sum / (2 * n), 0.0, 0.009);
  EXPECT_NEAR(squares / (2 * n), 1.0, 0.013);
}

TEST(Shape, Basics) {
  Shape s{2, 3, 5};
  EXPECT_EQ(s.elements(), 30);
  EXPECT_EQ(s.rows(), 6);
  EXPECT_EQ(s[-1], 5);
  EXPECT_EQ(s.with_last(7), (Shape{2, 3, 7}));
  EXPECT_EQ(Shape{}.elements(), 1);
  EXPECT_FALSE((Shape{2, 3} == Shape{2, 3, 1}));
  EXPECT_THROW((void)s[3], InternalError);
}

TEST(Error, NearestWordFindsTypos) {
  std::string keys[] = {"layers", "heads", "width"};
  EXPECT_EQ(nearest_word("layer", keys, 3), "layers");
  EXPECT_EQ(nearest_word("widht", keys, 3), "width");
  EXPECT_EQ(nearest_word("temperature", keys, 3), "");
}

TEST(File, AtomicWriteAndMap) {
  TemporaryDirectory dir;
  auto path = dir.path() / "a.txt";
  write_file_atomically(path, "hello");
  write_file_atomically(path, "world!");
  EXPECT_EQ(read_file(path), "world!");
  EXPECT_EQ(MappedFile(path).text(), "world!");
  EXPECT_THROW(read_file(path, 3), FormatError);
  EXPECT_THROW(read_file(dir.path() / "missing"), Error);
  EXPECT_THROW(read_file(dir.path()), Error);
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "a.txt.tmp"));
}

TEST(Hash, ChunksDoNotMatter) {
  ContentHash whole, parts;
  whole.update("abcdef", 6);
  parts.update("abc", 3);
  parts.update("def", 3);
  EXPECT_EQ(whole.hex(), parts.hex());
  EXPECT_EQ(whole.hex().size(), 32u);
}

}  // namespace
}  // namespace anneal
