#include "anneal/device/cpu/gemv.hpp"

#include <gtest/gtest.h>
#include <cmath>
#include <vector>

#include "anneal/device/cpu/gemv_kernel.hpp"
#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/device/cpu/product_test.hpp"

namespace anneal {
namespace {

class GemvKernel : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (GetParam() > best_isa()) GTEST_SKIP() << "this CPU has no " << name_of(GetParam());
  }
  const GemvKernels& kernels() const {
    switch (GetParam()) {
      case Isa::portable:
        break;
      case Isa::avx2:
        return avx2::gemv;
      case Isa::avx512:
        return avx512::gemv;
    }
    return portable::gemv;
  }
};

INSTANTIATE_TEST_SUITE_P(Isas, GemvKernel, testing::Values(Isa::portable, Isa::avx2, Isa::avx512),
                         [](const auto& info) { return std::string(name_of(info.param)); });

// A part of a larger matrix, of every number of inner indices and columns around whole vectors, in
// both layouts and dtypes; nothing is written around it.
TEST_P(GemvKernel, MatchesTheDefinition) {
  constexpr int64_t k_margin = 3, n_margin = 5;
  for (int64_t k : {1, 2, 3, 4, 5, 7, 31, 33, 64, 70})
    for (int64_t n : {1, 3, 4, 5, 16, 17, 33, 130})
      for (bool along_k : {false, true})
        for (DType dtype : product_dtypes) {
          int64_t leading = along_k ? k + k_margin : n + n_margin;
          StoredMatrix b(random_floats(leading * (along_k ? n : k), 1), dtype);
          auto x = random_floats(k, 2);
          std::vector<float> y(static_cast<size_t>(n + 2), 99.0f);
          GemvPart part{.b = b.bytes.data(),
                        .dtype = dtype,
                        .leading = leading,
                        .x = x.data(),
                        .k = k,
                        .n = n,
                        .y = y.data() + 1};
          (along_k ? kernels().rows_along_k : kernels().rows_along_n)(part);
          EXPECT_EQ(y.front(), 99.0f);
          EXPECT_EQ(y.back(), 99.0f);
          for (int64_t j = 0; j < n; ++j) {
            double sum = 0;
            for (int64_t i = 0; i < k; ++i) {
              auto at = static_cast<size_t>(along_k ? j * leading + i : i * leading + j);
              sum += static_cast<double>(x[static_cast<size_t>(i)]) *
                     static_cast<double>(b.values[at]);
            }
            // FP32 sums of k products lose at most k/2 ulp of the sum of magnitudes, below k here.
            ASSERT_NEAR(y[static_cast<size_t>(j + 1)], sum, static_cast<double>(k * k) * 0x1p-25)
                << "k " << k << ", n " << n << (along_k ? " along k" : "") << " " << name_of(dtype);
          }
        }
}

// Several parts of columns and slices of inner indices, the last ones short.
TEST(Gemv, PartsAndSlicesAddUp) {
  int before = thread_count();
  struct Case {
    bool trans;
    int64_t n, k;
  };
  // The third has more than the least slices.
  for (auto [trans, n, k] : {Case{true, 2500, 333}, {false, 2500, 333}, {false, 8192 + 77, 601}}) {
    MatmulSpec s{.m = 1, .n = n, .k = k, .trans_b = trans, .bias = true};
    auto x = random_floats(s.k, 1), b = random_floats(s.k * s.n, 2), bias = random_floats(s.n, 3);
    Gemv gemv(s);
    std::vector<float> workspace(static_cast<size_t>(gemv.workspace_bytes() / 4 + 1), NAN), one;
    for (int threads : {1, 2, 3, 4}) {
      set_threads(threads);
      std::vector<float> y(static_cast<size_t>(s.n), NAN);
      gemv.run(x.data(), b.data(), bias.data(), y.data(),
               reinterpret_cast<std::byte*>(workspace.data()));
      if (one.empty()) one = y;
      ASSERT_EQ(y, one) << threads << " threads";
    }
    for (int64_t j = 0; j < n; ++j) {
      double sum = static_cast<double>(bias[static_cast<size_t>(j)]);
      for (int64_t i = 0; i < k; ++i)
        sum += static_cast<double>(x[static_cast<size_t>(i)]) *
               static_cast<double>(b[static_cast<size_t>(trans ? j * k + i : i * n + j)]);
      ASSERT_NEAR(one[static_cast<size_t>(j)], sum, static_cast<double>(k * k) * 0x1p-25) << j;
    }
  }
  set_threads(before);
}

}  // namespace
}  // namespace anneal
