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

f16 f16_of(uint32_t bits) {
  f16 x;
  x.bits = static_cast<uint16_t>(bits);
  return x;
}

// IEEE 754-2008, 3.4: (−1)^s · 2^(e−15) · (1 + f/1024), subnormal at e = 0.
double value_of(uint32_t bits) {
  int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  double size = exponent == 0    ? std::ldexp(fraction, -24)
                : exponent == 31 ? (fraction ? NAN : INFINITY)
                                 : std::ldexp(1024 + fraction, exponent - 25);
  return bits & 0x8000 ? -size : size;
}

TEST(F16, EveryBitPatternComesBack) {
  for (uint32_t bits = 0; bits < 1 << 16; ++bits) {
    float x(f16_of(bits));
    if (std::isnan(value_of(bits))) {
      EXPECT_TRUE(std::isnan(x)) << bits;
      EXPECT_EQ(f16(x).bits, bits | 0x0200) << bits;  // quiet
    } else {
      EXPECT_EQ(static_cast<double>(x), value_of(bits)) << bits;
      EXPECT_EQ(std::signbit(x), bits >= 0x8000) << bits;
      EXPECT_EQ(f16(x).bits, bits) << bits;
    }
  }
}

// The middle between two neighbours goes to the even one, a float beside it to the nearer one. The
// neighbour of the largest finite number is 2^16, in place of which stands infinity.
TEST(F16, RoundsToNearestEven) {
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    double above = bits == 0x7bff ? 65536.0 : value_of(bits + 1);
    auto middle = static_cast<float>((value_of(bits) + above) / 2);
    for (uint32_t sign : {0u, 0x8000u}) {
      float s = sign ? -1.0f : 1.0f;
      EXPECT_EQ(f16(s * middle).bits, sign | (bits + (bits & 1))) << bits;
      EXPECT_EQ(f16(s * std::nextafter(middle, 0.0f)).bits, sign | bits) << bits;
      EXPECT_EQ(f16(s * std::nextafter(middle, 1e9f)).bits, sign | (bits + 1)) << bits;
    }
  }
}

TEST(F16, EndsOfTheRange) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(float(f16(65504.0f)), 65504.0f);
  EXPECT_EQ(float(f16(65519.996f)), 65504.0f);
  EXPECT_EQ(float(f16(65520.0f)), inf);
  EXPECT_EQ(float(f16(-std::numeric_limits<float>::max())), -inf);
  EXPECT_EQ(float(f16(inf)), inf);
  EXPECT_EQ(float(f16(0x1p-24f)), 0x1p-24f);
  EXPECT_EQ(float(f16(0x1p-25f)), 0.0f);
  EXPECT_EQ(f16(-1e-40f).bits, 0x8000);
  EXPECT_TRUE(std::isnan(float(f16(std::numeric_limits<float>::signaling_NaN()))));
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
