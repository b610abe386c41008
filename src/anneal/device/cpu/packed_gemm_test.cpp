#include "anneal/device/cpu/packed_gemm.hpp"

#include <gtest/gtest.h>
#include <cmath>
#include <vector>

#include "anneal/base/shape.hpp"
#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/packed_gemm_kernel.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/device/cpu/product_test.hpp"

namespace anneal {
namespace {

// FP32 sums of k products lose at most k/2 ulp of the sum of magnitudes, which is below k here.
double bound(int64_t k) { return static_cast<double>(k * k) * 0x1p-25; }

class PackedGemmKernel : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (GetParam() > best_isa()) GTEST_SKIP() << "this CPU has no " << name_of(GetParam());
  }
  const PackedGemmKernels& kernels() const {
    switch (GetParam()) {
      case Isa::portable:
        break;
      case Isa::avx2:
        return avx2::packed_gemm;
      case Isa::avx512:
        return avx512::packed_gemm;
    }
    return portable::packed_gemm;
  }
};

INSTANTIATE_TEST_SUITE_P(Isas, PackedGemmKernel,
                         testing::Values(Isa::portable, Isa::avx2, Isa::avx512),
                         [](const auto& info) { return std::string(name_of(info.param)); });

// Every element of the panels, in all four layouts, with nothing written around them.
TEST_P(PackedGemmKernel, PacksPanels) {
  constexpr int64_t lanes = 101, depth = 37, margin = 7, k0 = 3, first = 5;
  int64_t rows = lanes + first + 2, columns = depth + k0 + 4;
  for (DType dtype : product_dtypes)
    for (bool along_k : {false, true})
      for (bool of_a : {false, true}) {
        int64_t panel = of_a ? kernels().a_panel : kernels().b_panel;
        auto run = of_a ? kernels().pack_a : kernels().pack_b;
        int64_t leading = along_k ? columns : rows;
        StoredMatrix matrix(random_floats(rows * columns, 1), dtype);
        PackedSource source{matrix.bytes.data(), dtype, leading, along_k};
        int64_t padded = (lanes + panel - 1) / panel * panel;
        std::vector<float> packed(static_cast<size_t>(padded * depth + 2 * margin), 99.0f);
        run(source, first, lanes, k0, depth, packed.data() + margin);
        for (int64_t i = 0; i < margin; ++i) {
          EXPECT_EQ(packed[static_cast<size_t>(i)], 99.0f);
          EXPECT_EQ(packed[packed.size() - 1 - static_cast<size_t>(i)], 99.0f);
        }
        for (int64_t lane = 0; lane < padded; ++lane)
          for (int64_t k = 0; k < depth; ++k) {
            int64_t at =
                along_k ? (first + lane) * leading + k0 + k : (k0 + k) * leading + first + lane;
            float expected = 0;
            if (lane < lanes) expected = matrix.values[static_cast<size_t>(at)];
            int64_t to = margin + lane / panel * panel * depth + k * panel + lane % panel;
            ASSERT_EQ(packed[static_cast<size_t>(to)], expected)
                << "lane " << lane << ", k " << k << (along_k ? ", along k" : "")
                << (of_a ? ", a" : ", b") << ", " << name_of(dtype);
          }
      }
}

// Tiles of every number of rows and columns around whole panels.
TEST_P(PackedGemmKernel, MultipliesTiles) {
  constexpr int64_t depth = 19;
  int64_t most_rows = 2 * kernels().a_panel + 1, most_columns = 2 * kernels().b_panel + 1;
  for (int64_t rows = 1; rows <= most_rows; ++rows)
    for (int64_t columns = 1; columns <= most_columns; columns += columns < 20 ? 1 : 7) {
      auto a = random_floats(rows * depth, 1), b = random_floats(depth * columns, 2);
      auto bias = random_floats(columns, 3), before = random_floats(rows * columns, 4);
      std::vector<float> packed_a(static_cast<size_t>(3 * kernels().a_panel * depth));
      std::vector<float> packed_b(static_cast<size_t>(3 * kernels().b_panel * depth));
      kernels().pack_a({a.data(), DType::f32, depth, true}, 0, rows, 0, depth, packed_a.data());
      kernels().pack_b({b.data(), DType::f32, columns, false}, 0, columns, 0, depth,
                       packed_b.data());
      for (bool accumulate : {false, true}) {
        auto c = before;
        kernels().multiply({packed_a.data(), packed_b.data(), rows, columns, depth, c.data(),
                            columns, accumulate, accumulate ? nullptr : bias.data()});
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < columns; ++j) {
            auto at = static_cast<size_t>(i * columns + j);
            double sum = accumulate ? static_cast<double>(before[at])
                                    : static_cast<double>(bias[static_cast<size_t>(j)]);
            for (int64_t k = 0; k < depth; ++k)
              sum += static_cast<double>(a[static_cast<size_t>(i * depth + k)]) *
                     static_cast<double>(b[static_cast<size_t>(k * columns + j)]);
            ASSERT_NEAR(c[at], sum, bound(depth + 2))
                << rows << " x " << columns << " at " << i << ", " << j;
          }
      }
    }
}

class PackedGemmThreads : public testing::Test {
 protected:
  void TearDown() override { set_threads(before_); }

 private:
  int before_ = thread_count();
};

// Products of several slices, blocks of depth, blocks of columns and blocks of rows.
TEST_F(PackedGemmThreads, BlocksAddUp) {
  struct Extents {
    int64_t m, n, k;
  };
  for (Extents e : {Extents{31, 40, 700},
                    {25, 33, 4200},
                    {30, 9000, 300},
                    {9000, 20, 300},
                    {2300, 2100, 1030}}) {
    for (bool trans : {false, true}) {
      MatmulSpec s{.m = e.m, .n = e.n, .k = e.k, .trans_a = trans, .trans_b = !trans};
      s.accumulate = trans;
      auto a = random_floats(s.m * s.k, 1), b = random_floats(s.k * s.n, 2);
      auto before = random_floats(s.m * s.n, 3), bias = random_floats(s.n, 4);
      PackedGemm gemm(s);
      std::vector<float> workspace(static_cast<size_t>(gemm.workspace_bytes() / 4), NAN);
      std::vector<float> one;
      for (int threads : {1, 2, 3, 4}) {
        set_threads(threads);
        auto c = s.accumulate ? before : std::vector<float>(before.size(), NAN);
        gemm.run(a.data(), b.data(), s.accumulate ? nullptr : bias.data(), c.data(),
                 reinterpret_cast<std::byte*>(workspace.data()));
        if (one.empty()) one = c;
        ASSERT_EQ(c, one) << threads << " threads";
      }
      // Some elements of every region of C.
      for (int64_t i = 0; i < s.m; i += 1 + s.m / 13)
        for (int64_t j = 0; j < s.n; j += 1 + s.n / 17) {
          auto at = static_cast<size_t>(i * s.n + j);
          double sum = s.accumulate ? static_cast<double>(before[at])
                                    : static_cast<double>(bias[static_cast<size_t>(j)]);
          for (int64_t k = 0; k < s.k; ++k)
            sum +=
                static_cast<double>(a[static_cast<size_t>(s.trans_a ? k * s.m + i : i * s.k + k)]) *
                static_cast<double>(b[static_cast<size_t>(s.trans_b ? j * s.k + k : k * s.n + j)]);
          ASSERT_NEAR(one[at], sum, bound(s.k))
              << s.m << " x " << s.n << " x " << s.k << " at " << i << ", " << j;
        }
    }
  }
}

}  // namespace
}  // namespace anneal
