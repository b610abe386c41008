#include "anneal/ops/dropout/dropout.hpp"

#include <gtest/gtest.h>
#include <cmath>

#include "anneal/ops/dropout/cpu.hpp"
#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

testing::OpCase dropout_case(Shape shape, double p, double first_sample) {
  testing::OpCase c{.name = str("dropout ", shape, " ", p),
                    .op = &dropout_op(),
                    .attrs = Attrs::of(DropoutAttrs{p, 0x123456789abcdefull}),
                    .in = {TensorType{DType::f32, shape}, TensorType{DType::i64, {}}}};
  c.fill = [first_sample](int i, RefTensor& t) {
    if (i == 1) t.data[0] = first_sample;
  };
  c.low_inputs = bit(0);
  c.low_outputs = bit(0);
  return c;
}

TEST(Dropout, MaskIsTheStatedFunction) {
  check(dropout_case({3, 5, 7}, 0.3, 0));
  check(dropout_case({2, 129}, 0.5, 5e9));
  auto large = dropout_case({2, 70, 257}, 0.1, 12);
  large.gradient = false;
  check(large);
}

TEST(Dropout, KeepRateIsWithinBinomialBounds) {
  constexpr int64_t n = 1 << 18;
  for (double p : {0.1, 0.5, 0.9}) {
    OpCall call{.attrs = Attrs::of(DropoutAttrs{p, 77}),
                .in = {TensorType{DType::f32, {4, n / 4}}, TensorType{DType::i64, {}}}};
    call.out = dropout_op().infer(call);
    std::vector<float> x(n, 1.0f), y(n);
    int64_t first = 3;
    const void* in[] = {x.data(), &first};
    void* out[] = {y.data()};
    make_dropout_kernel(call)->run({in, out, nullptr});
    double kept = 0, sum = 0;
    for (float v : y) kept += v != 0, sum += v;
    double deviation = std::sqrt(n * p * (1 - p));
    EXPECT_NEAR(kept, n * (1 - p), 4 * deviation);
    EXPECT_NEAR(sum, n, 4 * deviation / (1 - p));
  }
}

TEST(Dropout, MasksDoNotDependOnTheCutOfTheBatch) {
  auto run = [](int64_t samples, int64_t first) {
    OpCall call{.attrs = Attrs::of(DropoutAttrs{0.4, 5}),
                .in = {TensorType{DType::f32, {samples, 33}}, TensorType{DType::i64, {}}}};
    call.out = dropout_op().infer(call);
    std::vector<float> x(static_cast<size_t>(samples * 33), 1.0f), y(x.size());
    const void* in[] = {x.data(), &first};
    void* out[] = {y.data()};
    make_dropout_kernel(call)->run({in, out, nullptr});
    return y;
  };
  auto whole = run(4, 10), first = run(2, 10), second = run(2, 12);
  first.insert(first.end(), second.begin(), second.end());
  EXPECT_EQ(whole, first);
}

}  // namespace
}  // namespace anneal
