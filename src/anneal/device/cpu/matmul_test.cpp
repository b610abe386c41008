#include "anneal/device/cpu/matmul.hpp"

#include <gtest/gtest.h>
#include <cmath>
#include <cstring>
#include <vector>

#include "anneal/base/rng.hpp"
#include "anneal/base/shape.hpp"
#include "anneal/device/cpu/parallel.hpp"

namespace anneal {
namespace {

std::vector<std::byte> random_matrix(int64_t elements, DType dtype, uint64_t key) {
  std::vector<std::byte> bytes(static_cast<size_t>(elements * size_of(dtype)));
  for (int64_t i = 0; i < elements; ++i) {
    float x = 2 * uniform_float(philox(key, static_cast<uint64_t>(i), 0)[0]) - 1;
    visit(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      reinterpret_cast<T*>(bytes.data())[i] = T(x);
    });
  }
  return bytes;
}

struct Operands {
  explicit Operands(const MatmulSpec& s)
      : a(random_matrix(s.m * s.k, s.a, 1)),
        b(random_matrix(s.k * s.n, s.b, 2)),
        bias(random_matrix(s.n, DType::f32, 3)),
        c(random_matrix(s.m * s.n, s.c, 4)) {}
  std::vector<std::byte> a, b, bias, c;
};

std::vector<std::byte> product(const MatmulSpec& spec, const Operands& operands, int threads) {
  set_threads(threads);
  CpuMatmul matmul(spec);
  // NaN where the product has to write itself.
  std::vector<std::byte> c(operands.c.size(), std::byte{0xFF});
  if (spec.accumulate) c = operands.c;
  std::vector<std::byte> workspace(static_cast<size_t>(matmul.workspace_bytes()) + 64,
                                   std::byte{0xFF});
  auto address = reinterpret_cast<uintptr_t>(workspace.data());
  std::byte* aligned = workspace.data() + (64 - address % 64) % 64;
  matmul.run(operands.a.data(), operands.b.data(), spec.bias ? operands.bias.data() : nullptr,
             c.data(), aligned);
  return c;
}

std::string describe(const MatmulSpec& s) {
  std::ostringstream out;
  out << s.m << "x" << s.n << "x" << s.k << (s.trans_a ? " aT" : " a")
      << (s.trans_b ? " bT " : " b ") << name_of(s.a) << " " << name_of(s.b) << " " << name_of(s.c)
      << (s.accumulate ? " +=" : "");
  return out.str();
}

// The products of one linear layer: y = x·wᵀ, dx = dy·w, dw += dyᵀ·x, in the dtypes of a precision.
std::vector<MatmulSpec> products_of(int64_t rows, int64_t in, int64_t out, DType dtype) {
  return {
      {.m = rows, .n = out, .k = in, .trans_b = true, .a = dtype, .b = dtype, .c = dtype},
      {.m = rows, .n = in, .k = out, .a = dtype, .b = dtype, .c = DType::f32},
      {.m = out, .n = in, .k = rows, .trans_a = true, .a = dtype, .b = dtype, .accumulate = true}};
}

class MatmulThreads : public ::testing::Test {
 protected:
  void TearDown() override { set_threads(before_); }

 private:
  int before_ = thread_count();
};

// Widths of the example models and of GPT-2, and shapes whose reduction is long and whose output is
// small, which a library would like to split over threads.
TEST_F(MatmulThreads, TheSameBitsOnAnyNumber) {
  struct Layer {
    int64_t rows, in, out;
  };
  const Layer layers[] = {{1024, 192, 320},  {1024, 192, 1024}, {1024, 512, 192}, {512, 192, 4096},
                          {4096, 384, 1152}, {1024, 1536, 384}, {256, 768, 2304}, {128, 768, 3072},
                          {1, 768, 3072},    {32, 384, 4096},   {8192, 64, 64},   {4096, 65, 384},
                          {77, 131, 259}};
  for (const Layer& layer : layers) {
    for (DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      for (const MatmulSpec& spec : products_of(layer.rows, layer.in, layer.out, dtype)) {
        Operands operands(spec);
        auto one = product(spec, operands, 1);
        for (int threads : {2, 3, 4, 8})
          EXPECT_EQ(product(spec, operands, threads), one)
              << describe(spec) << " on " << threads << " threads";
      }
    }
  }
}

double value(const std::vector<std::byte>& bytes, DType dtype, int64_t i) {
  return visit(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return static_cast<double>(static_cast<float>(reinterpret_cast<const T*>(bytes.data())[i]));
  });
}

// Against FP64 sums: every combination of dtypes, transpositions, bias and accumulation.
TEST_F(MatmulThreads, MatchTheDefinition) {
  for (int variant = 0; variant < 256; ++variant) {
    // Some rows, and the single one of generation.
    bool many = (variant >> 6 & 1) == 0;
    const int64_t m = many ? 65 : 1, n = many ? 131 : 393, k = 70;
    DType low = variant < 128 ? DType::bf16 : DType::f16;
    auto dtype = [&](int bit) { return variant >> bit & 1 ? low : DType::f32; };
    MatmulSpec s{.m = m,
                 .n = n,
                 .k = k,
                 .trans_a = (variant >> 3 & 1) != 0,
                 .trans_b = (variant >> 4 & 1) != 0,
                 .a = dtype(0),
                 .b = dtype(1),
                 .c = dtype(2),
                 .bias = (variant >> 5 & 1) != 0};
    s.accumulate = !s.bias && s.c == DType::f32;
    Operands operands(s);
    auto c = product(s, operands, 2);
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double sum = s.bias ? value(operands.bias, DType::f32, j) : 0;
        if (s.accumulate) sum += value(operands.c, s.c, i * n + j);
        double size = std::abs(sum);
        for (int64_t r = 0; r < k; ++r) {
          double term = value(operands.a, s.a, s.trans_a ? r * m + i : i * k + r) *
                        value(operands.b, s.b, s.trans_b ? j * k + r : r * n + j);
          sum += term;
          size += std::abs(term);
        }
        // FP32 sums of k products lose at most k/2 ulp of the sum of magnitudes; bf16 results are
        // rounded to 2⁻⁸ of themselves and f16 ones to 2⁻¹¹, below 2⁻¹⁴ to 2⁻²⁵.
        double bound = static_cast<double>(k) * 0x1p-25 * size;
        if (s.c == DType::bf16) bound += 0x1p-8 * std::abs(sum);
        if (s.c == DType::f16) bound += 0x1p-11 * std::abs(sum) + 0x1p-25;
        ASSERT_NEAR(value(c, s.c, i * n + j), sum, bound)
            << describe(s) << " at " << i << ", " << j;
      }
    }
  }
}

}  // namespace
}  // namespace anneal
