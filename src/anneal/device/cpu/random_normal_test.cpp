#include "anneal/device/cpu/random_normal_kernel.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <cmath>
#include <vector>

#include "anneal/base/rng.hpp"
#include "anneal/device/cpu/isa.hpp"

namespace anneal {
namespace {

std::vector<RandomNormalKernel*> kernels() {
  std::vector<RandomNormalKernel*> all{portable::random_normal};
  if (best_isa() >= Isa::avx2) all.push_back(avx2::random_normal);
  if (best_isa() >= Isa::avx512) all.push_back(avx512::random_normal);
  return all;
}

TEST(RandomNormal, IsTheNormalPairOfEveryCounter) {
  constexpr int64_t first = 2 * ((int64_t{1} << 33) - 1000), n = 200'000;
  std::vector<float> got(n);
  portable::random_normal(7, first, n, 0.5, got.data());
  for (int64_t i = 0; i < n; ++i) {
    double want = 0.5 * normal_pair(philox(7, static_cast<uint64_t>(first + i) / 2, 0))[i % 2];
    // Half a unit of the last place of a float, and FP64's errors near a zero of the sine: the
    // angle is a product rounded at up to 2π, 4.4e-16, and the radius is at most 8.6.
    ASSERT_NEAR(got[i], want, std::abs(want) * 0x1p-24 + 4e-15) << i;
  }
}

TEST(RandomNormal, EveryInstructionSetDrawsTheSameBits) {
  constexpr int64_t n = 1'000'003;  // ends within a vector and within a pair
  std::vector<float> want(n), got(n);
  portable::random_normal(11, 4, n, 0.02, want.data());
  for (RandomNormalKernel* kernel : kernels()) {
    kernel(11, 4, n, 0.02, got.data());
    EXPECT_TRUE(got == want);
  }
}

TEST(RandomNormal, PiecesMakeTheWhole) {
  for (RandomNormalKernel* kernel : kernels()) {
    std::vector<float> whole(101), pieces(101);
    kernel(3, 0, 101, 1.0, whole.data());
    for (int64_t i = 0; i < 101; i += 6)
      kernel(3, i, std::min<int64_t>(6, 101 - i), 1.0, pieces.data() + i);
    EXPECT_EQ(pieces, whole);
  }
}

}  // namespace
}  // namespace anneal
