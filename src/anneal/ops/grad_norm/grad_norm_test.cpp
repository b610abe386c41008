#include "anneal/ops/grad_norm/grad_norm.hpp"

#include <gtest/gtest.h>
#include <cmath>

#include "anneal/ops/registry.hpp"
#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

TEST(SumSquares, BlocksOfAnySize) {
  for (int64_t n : {1, 7, 65, 129, 65535, 65536, 65537, 200000})
    testing::check({.name = str("sum_squares ", n),
                    .op = &sum_squares_op(),
                    .in = {TensorType{DType::f32, {n}}},
                    // The reference adds up to 200,000 terms in one chain of FP64 sums, whose
                    // error grows with the square root of their number.
                    .tolerance = 2048,
                    .gradient = false});
}

// What a kernel gives for these f32 elements.
double sum_of(const std::vector<float>& x) {
  OpCall call{.in = {TensorType{DType::f32, {static_cast<int64_t>(x.size())}}},
              .out = {TensorType{DType::f64, {}}}};
  auto kernel = make_cpu_kernel(sum_squares_op(), call);
  std::vector<std::byte> workspace(static_cast<size_t>(kernel->workspace_bytes()));
  double sum = -1;
  const void* in = x.data();
  void* out = &sum;
  kernel->run({&in, &out, workspace.data()});
  return sum;
}

TEST(SumSquares, BlocksAreThoseOfTheLogicalTensor) {
  // Whoever has only some blocks of a tensor gets the same bits by adding sums of blocks in order.
  std::vector<float> x(3 * sum_squares_block + 77);
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i)) * 1e3f;
  double parts = 0;
  for (size_t i = 0; i < x.size(); i += sum_squares_block)
    parts += sum_of(
        {x.begin() + static_cast<int64_t>(i),
         x.begin() + static_cast<int64_t>(std::min(x.size(), i + size_t{sum_squares_block}))});
  EXPECT_EQ(sum_of(x), parts);
}

TEST(SumSquares, SquaresBeyondFloatAreFiniteAndNanIsKept) {
  EXPECT_DOUBLE_EQ(sum_of({3e38f, 0, 0}), static_cast<double>(3e38f) * static_cast<double>(3e38f));
  std::vector<float> x(100, 1.0f);
  x[41] = NAN;
  EXPECT_TRUE(std::isnan(sum_of(x)));
  x[41] = -INFINITY;
  EXPECT_EQ(sum_of(x), INFINITY);
}

TEST(GradNorm, AnyNumberOfSums) {
  for (size_t n : {1, 2, 7, 300})
    testing::check({.name = str("grad_norm of ", n),
                    .op = &grad_norm_op(),
                    .in = std::vector<std::optional<TensorType>>(n, TensorType{DType::f64, {}}),
                    .fill = [](int, RefTensor& t) { t.data[0] = std::abs(t.data[0]); },
                    .gradient = false});
}

}  // namespace
}  // namespace anneal
