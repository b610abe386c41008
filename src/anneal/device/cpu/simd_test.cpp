#include "anneal/device/cpu/simd_test.hpp"

#include <gtest/gtest.h>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "anneal/device/cpu/isa.hpp"

namespace anneal {
namespace {

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

class Simd : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (GetParam() > best_isa()) GTEST_SKIP() << "this CPU has no " << name_of(GetParam());
  }
  const SimdProbe& probe() const {
    switch (GetParam()) {
      case Isa::portable:
        break;
      case Isa::avx2:
        return avx2::simd_probe;
      case Isa::avx512:
        return avx512::simd_probe;
    }
    return portable::simd_probe;
  }
};

INSTANTIATE_TEST_SUITE_P(Isas, Simd, testing::Values(Isa::portable, Isa::avx2, Isa::avx512),
                         [](const auto& info) { return std::string(name_of(info.param)); });

// Every `stride`-th of the 2^32 bit patterns, all the signs, exponents and special values included,
// and a few that matter.
std::vector<float> samples(uint32_t stride) {
  std::vector<float> x = {0.0f,      -0.0f,   inf,        -inf,     nan,     -nan,
                          1.0f,      -1.0f,   1e-45f,     -1e-45f,  88.722f, 88.7228f,
                          88.72284f, -103.9f, -104.1f,    -87.3f,   -87.34f, 0.625f,
                          9.01f,     9.02f,   0.7071067f, 1.41421f, 3.4e38f, -3.4e38f};
  uint64_t bits = 0;
  for (; bits < uint64_t{1} << 32; bits += stride)
    x.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  return x;
}

// Distance between `got` and the exact value, in units of the last place of the exact value rounded
// to float (denormals share the smallest unit).
double ulps(float got, double exact) {
  float rounded = static_cast<float>(exact);
  if (got == rounded) return 0;
  if (!std::isfinite(got) || !std::isfinite(rounded)) {
    // One side overflows at the very edge of the range.
    double limit = std::numeric_limits<float>::max();
    return std::abs(std::min(std::abs(exact), 2 * limit) - limit) / std::ldexp(1.0, 104);
  }
  int exponent = std::max(std::ilogb(rounded == 0 ? 1e-45f : rounded), -126);
  return std::abs(static_cast<double>(got) - exact) / std::ldexp(1.0, exponent - 23);
}

template <class Exact>
void expect_accurate(SimdProbe::Unary* f, Exact exact, double bound) {
  std::vector<float> x = samples(1499);
  std::vector<float> y(x.size());
  f(x.data(), y.data(), static_cast<int64_t>(x.size()));
  double worst = 0;
  float worst_at = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    double expected = exact(static_cast<double>(x[i]));
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(y[i])) << "at " << x[i] << " got " << y[i];
      continue;
    }
    ASSERT_FALSE(std::isnan(y[i])) << "at " << x[i];
    double error = ulps(y[i], expected);
    if (error > worst) worst = error, worst_at = x[i];
  }
  EXPECT_LE(worst, bound) << "at " << worst_at;
  testing::Test::RecordProperty("worst_ulp", std::to_string(worst));
}

TEST_P(Simd, Exp) {
  expect_accurate(
      probe().exp, [](double x) { return std::exp(x); }, 1.0);
}
TEST_P(Simd, Log) {
  expect_accurate(
      probe().log, [](double x) { return std::log(x); }, 1.0);
}
TEST_P(Simd, Tanh) {
  expect_accurate(
      probe().tanh, [](double x) { return std::tanh(x); }, 1.5);
}
TEST_P(Simd, Sigmoid) {
  auto exact = [](double x) { return 1.0 / (1.0 + std::exp(-x)); };
  expect_accurate(probe().sigmoid, exact, 2.5);
}
// Its error is an absolute one: exact GELU multiplies it by x, and far below 0 nothing is left.
TEST_P(Simd, NormalDistribution) {
  std::vector<float> x = samples(1499);
  std::vector<float> y(x.size());
  probe().normal_distribution(x.data(), y.data(), static_cast<int64_t>(x.size()));
  double worst = 0, worst_times_x = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(std::isnan(x[i]), std::isnan(y[i])) << "at " << x[i] << " got " << y[i];
    if (std::isnan(x[i])) continue;
    double error = std::abs(y[i] - 0.5 * std::erfc(-static_cast<double>(x[i]) / std::sqrt(2.0)));
    worst = std::max(worst, error);
    if (x[i] < 0 && !std::isinf(x[i]))
      worst_times_x = std::max(worst_times_x, error * std::abs(static_cast<double>(x[i])));
  }
  EXPECT_LE(worst, 0x1p-23);
  EXPECT_LE(worst_times_x, 0x1p-23);
}
TEST_P(Simd, SqrtIsCorrectlyRounded) {
  expect_accurate(
      probe().sqrt, [](double x) { return std::sqrt(x); }, 0.5);
}

TEST_P(Simd, SpecialValues) {
  const float x[] = {-inf, -0.0f, 0.0f, inf};
  float y[4];
  probe().exp(x, y, 4);
  EXPECT_EQ(y[0], 0.0f);
  EXPECT_EQ(y[1], 1.0f);
  EXPECT_EQ(y[3], inf);
  probe().log(x, y, 4);
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_EQ(y[1], -inf);
  EXPECT_EQ(y[2], -inf);
  EXPECT_EQ(y[3], inf);
  probe().tanh(x, y, 4);
  EXPECT_EQ(y[0], -1.0f);
  EXPECT_TRUE(y[1] == 0.0f && std::signbit(y[1]));
  EXPECT_EQ(y[3], 1.0f);
  probe().sigmoid(x, y, 4);
  EXPECT_EQ(y[0], 0.0f);
  EXPECT_EQ(y[1], 0.5f);
  EXPECT_EQ(y[3], 1.0f);
}

TEST_P(Simd, AbsAndCopysignKeepAllBits) {
  const float a[] = {-1.5f, 2.0f, -0.0f, nan, -inf};
  const float b[] = {1.0f, -0.0f, -3.0f, -1.0f, nan};
  float y[5];
  probe().abs(a, y, 5);
  EXPECT_EQ(y[0], 1.5f);
  EXPECT_FALSE(std::signbit(y[2]));
  EXPECT_TRUE(std::isnan(y[3]));
  EXPECT_EQ(y[4], inf);
  probe().copysign(a, b, y, 5);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(std::bit_cast<uint32_t>(y[i]), std::bit_cast<uint32_t>(std::copysign(a[i], b[i])));
}

TEST_P(Simd, MinAndMaxGiveTheSecondOperandForNan) {
  const float a[] = {1.0f, 2.0f, nan, 5.0f, -inf};
  const float b[] = {2.0f, 1.0f, 3.0f, nan, 4.0f};
  float y[5];
  probe().max(a, b, y, 5);
  EXPECT_EQ(y[0], 2.0f);
  EXPECT_EQ(y[1], 2.0f);
  EXPECT_EQ(y[2], 3.0f);
  EXPECT_TRUE(std::isnan(y[3]));
  EXPECT_EQ(y[4], 4.0f);
  probe().min(a, b, y, 5);
  EXPECT_EQ(y[0], 1.0f);
  EXPECT_EQ(y[1], 1.0f);
  EXPECT_EQ(y[2], 3.0f);
  EXPECT_TRUE(std::isnan(y[3]));
  EXPECT_EQ(y[4], -inf);
  probe().less(a, b, y, 5);
  EXPECT_EQ(std::vector<float>(y, y + 5), (std::vector<float>{1, 0, 0, 0, 1}));
}

template <class T>
void expect_narrows(void (*narrow)(const float* x, T* y, int64_t n), const std::vector<float>& x) {
  std::vector<T> y(x.size());
  narrow(x.data(), y.data(), static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_EQ(y[i].bits, T(x[i]).bits) << "at " << std::bit_cast<uint32_t>(x[i]);
}

TEST_P(Simd, NarrowEqualsTheScalarConversion) {
  std::vector<float> x = samples(4093);
  // The two sides of a tie, and NaNs whose upper half is an infinity's.
  for (uint32_t bits : {0x3f808000u, 0x3f818000u, 0x3f808001u, 0x7f7fffffu, 0x7f800001u,
                        0xff800001u, 0x7fffffffu, 0x00008000u, 0x00018000u})
    x.push_back(std::bit_cast<float>(bits));
  // The middle between every two neighbours in f16, and the floats on both sides of it.
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    f16 low, high;
    low.bits = static_cast<uint16_t>(bits), high.bits = static_cast<uint16_t>(bits + 1);
    float above = high.bits == 0x7c00 ? 65536.0f : float(high);
    float middle = (float(low) + above) / 2;
    for (float v : {std::nextafter(middle, 0.0f), middle, std::nextafter(middle, inf)})
      x.push_back(v), x.push_back(-v);
  }
  expect_narrows(probe().narrow_bf16, x);
  expect_narrows(probe().narrow_f16, x);
}

template <class T>
void expect_widens(void (*widen)(const T* x, float* y, int64_t n)) {
  std::vector<T> x(1 << 16);
  for (size_t i = 0; i < x.size(); ++i) x[i].bits = static_cast<uint16_t>(i);
  std::vector<float> y(x.size());
  widen(x.data(), y.data(), static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_EQ(std::bit_cast<uint32_t>(y[i]), std::bit_cast<uint32_t>(float(x[i]))) << i;
  // As lone elements too.
  for (size_t i = 0; i < x.size(); ++i) {
    widen(&x[i], y.data(), 1);
    ASSERT_EQ(std::bit_cast<uint32_t>(y[0]), std::bit_cast<uint32_t>(float(x[i]))) << i;
  }
}

TEST_P(Simd, WidenEqualsTheScalarConversion) {
  expect_widens(probe().widen_bf16);
  expect_widens(probe().widen_f16);
}

template <class T>
void expect_partial_stores(void (*narrow)(const float* x, T* y, int64_t n),
                           const std::vector<float>& x, int offset, int end) {
  std::vector<T> y(static_cast<size_t>(end), T(-7.0f));
  narrow(x.data(), y.data() + offset, static_cast<int64_t>(x.size()));
  for (int i = 0; i < end; ++i) {
    bool inside = i >= offset && i < offset + static_cast<int>(x.size());
    ASSERT_EQ(static_cast<float>(y[static_cast<size_t>(i)]),
              inside ? static_cast<float>(i - offset + 1) : -7.0f);
  }
}

// Every length up to three vectors at every misalignment; the elements around stay untouched.
TEST_P(Simd, PartialLoadsAndStoresTouchOnlyTheirLanes) {
  int width = probe().width;
  for (int n = 0; n <= 3 * width; ++n) {
    for (int offset = 0; offset < width; ++offset) {
      std::vector<float> x(static_cast<size_t>(n));
      for (int i = 0; i < n; ++i) x[static_cast<size_t>(i)] = static_cast<float>(i + 1);
      int end = n + 3 * width;
      expect_partial_stores(probe().copy, x, offset, end);
      expect_partial_stores(probe().narrow_bf16, x, offset, end);
      expect_partial_stores(probe().narrow_f16, x, offset, end);
    }
  }
}

template <class T>
void expect_partial_loads(void (*load)(const T* x, float fill, float* y, int n), int width,
                          float fill) {
  for (int n = 1; n <= width; ++n) {
    std::vector<T> x(static_cast<size_t>(n), T(2.0f));
    std::vector<float> y(static_cast<size_t>(width));
    load(x.data(), fill, y.data(), n);
    for (int i = 0; i < width; ++i) EXPECT_EQ(y[static_cast<size_t>(i)], i < n ? 2.0f : fill);
  }
}

TEST_P(Simd, PartialLoadsFillTheOtherLanes) {
  expect_partial_loads(probe().load_partial, probe().width, -inf);
  expect_partial_loads(probe().load_partial_bf16, probe().width, 3.0f);
  expect_partial_loads(probe().load_partial_f16, probe().width, 3.0f);
}

TEST_P(Simd, StreamStoresAlignedAndUnalignedData) {
  int width = probe().width;
  std::vector<float> x(static_cast<size_t>(4 * width));
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  for (int offset = 0; offset < width; ++offset) {
    std::vector<float> y(x.size() + static_cast<size_t>(width));
    probe().stream(x.data(), y.data() + offset, 4 * width);
    EXPECT_TRUE(std::equal(x.begin(), x.end(), y.begin() + offset));
  }
}

TEST_P(Simd, HorizontalFoldsHaveAFixedOrder) {
  int width = probe().width;
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0, 1e3f);
  for (int round = 0; round < 100; ++round) {
    std::vector<float> x(static_cast<size_t>(width));
    for (float& v : x) v = normal(random);
    std::vector<float> sums = x;
    for (int half = width / 2; half > 0; half /= 2)
      for (int i = 0; i < half; ++i)
        sums[static_cast<size_t>(i)] += sums[static_cast<size_t>(i + half)];
    EXPECT_EQ(probe().hsum(x.data()), sums[0]);
    EXPECT_EQ(probe().largest(x.data()), *std::max_element(x.begin(), x.end()));
    EXPECT_EQ(probe().smallest(x.data()), *std::min_element(x.begin(), x.end()));
  }
  for (int lane = 0; lane < width; ++lane) {
    std::vector<float> x(static_cast<size_t>(width), 1.0f);
    x[static_cast<size_t>(lane)] = nan;
    EXPECT_TRUE(std::isnan(probe().hsum(x.data())));
  }
}

TEST_P(Simd, IotaCounts) {
  std::vector<int32_t> y(static_cast<size_t>(probe().width));
  probe().iota(y.data());
  for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], static_cast<int32_t>(i));
}

}  // namespace
}  // namespace anneal
