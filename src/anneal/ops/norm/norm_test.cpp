#include <gtest/gtest.h>
#include <cmath>

#include "anneal/ops/norm/layernorm.hpp"
#include "anneal/ops/norm/rmsnorm.hpp"
#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

using testing::check;
using testing::OpCase;

TensorType f32(const Shape& shape) { return {DType::f32, shape}; }

// Odd sizes; 132 and 300 rows make several slices of the sums over rows.
const Shape shapes[] = {{1, 1, 1}, {5, 7},      {2, 3, 65},   {1, 4, 129},
                        {3, 9, 8}, {4, 33, 33}, {2, 150, 17}, {1, 6, 1000}};

// Every combination of low-precision inputs and outputs among the given ones.
void check_low(OpCase c, uint32_t inputs, uint32_t outputs) {
  std::string name = c.name;
  for (uint32_t in = 0; in <= inputs; ++in)
    for (uint32_t out = 0; out <= outputs; ++out) {
      if ((in & ~inputs) || (out & ~outputs) || (in | out) == 0) continue;
      c.low_inputs = in;
      c.low_outputs = out;
      c.name = str(name, " low inputs ", in, " low outputs ", out);
      testing::check_low(c);
    }
}

OpCase layernorm_case(const Shape& x) {
  Shape row{x.row_length()};
  return {.name = str("layernorm ", x),
          .op = &layernorm_op(),
          .attrs = Attrs::of(LayernormAttrs{1e-5}),
          .in = {f32(x), f32(row), f32(row)}};
}

OpCase layernorm_grad_case(const Shape& x) {
  Shape row{x.row_length()}, column = x.with_last(1);
  return {.name = str("layernorm_grad ", x),
          .op = &layernorm_grad_op(),
          .in = {f32(x), f32(x), f32(row), f32(column), f32(column)},
          .gradient = false};
}

OpCase rmsnorm_case(const Shape& x) {
  return {.name = str("rmsnorm ", x),
          .op = &rmsnorm_op(),
          .attrs = Attrs::of(RmsnormAttrs{1e-6}),
          .in = {f32(x), f32({x.row_length()})}};
}

OpCase rmsnorm_grad_case(const Shape& x) {
  return {.name = str("rmsnorm_grad ", x),
          .op = &rmsnorm_grad_op(),
          .in = {f32(x), f32(x), f32({x.row_length()}), f32(x.with_last(1))},
          .gradient = false};
}

TEST(Layernorm, ForwardAndGradientRule) {
  for (const auto& shape : shapes) {
    OpCase c = layernorm_case(shape);
    // A row of one element has no variance: its gradient is 0 but its rstd 1/sqrt(eps) is 316,
    // which the error of the central differences is multiplied by.
    c.gradient = shape.row_length() > 1;
    check(c);
    check_low(c, 1, 1);
  }
}

// With a sum on the way: its gradient is that of the sum that the fusion pass took in.
OpCase with_addend(OpCase c) {
  c.in.push_back(c.in[0]);
  c.name += " of a sum";
  c.gradient = false;
  return c;
}

TEST(Layernorm, OfASum) {
  for (const Shape& shape : shapes) {
    check(with_addend(layernorm_case(shape)));
    check_low(with_addend(layernorm_case(shape)), 0, 1);
  }
}

TEST(Rmsnorm, OfASum) {
  for (const Shape& shape : shapes) {
    check(with_addend(rmsnorm_case(shape)));
    check_low(with_addend(rmsnorm_case(shape)), 0, 1);
  }
}

TEST(Layernorm, Gradient) {
  for (const auto& shape : shapes) {
    OpCase c = layernorm_grad_case(shape);
    check(c);
    check_low(c, 3, 0);
  }
}

TEST(Layernorm, GradientStartsFromOtherValues) {
  const Shape shape{2, 19, 65}, row{65};
  OpCase all = layernorm_grad_case(shape);
  all.in.insert(all.in.end(), {f32(shape), f32(row), f32(row)});
  check(all);
  check_low(all, 3, 0);
  OpCase some = layernorm_grad_case(shape);
  some.in.insert(some.in.end(), {std::nullopt, f32(row)});
  check(some);
}

TEST(Layernorm, LargeMeanDoesNotCancel) {
  OpCase c = layernorm_case({3, 5, 257});
  c.fill = [](int i, RefTensor& t) {
    if (i == 0)
      for (double& x : t.data) x += 1000;
  };
  // The mean is rounded to 1000·eps, and y is in units of the deviation, 0.58; E[x²] − E[x]² would
  // be wrong by 10^6·eps.
  c.tolerance = 4000;
  c.gradient = false;
  check(c);
}

TEST(Layernorm, NanStaysInItsRow) {
  OpCase c = layernorm_case({2, 4, 70});
  c.fill = [](int i, RefTensor& t) {
    if (i == 0) t.data[70 * 3 + 69] = NAN;
  };
  c.gradient = false;
  check(c);
}

TEST(Layernorm, RefusesGradientsOfItsStatistics) {
  Program program;
  Builder b(program);
  Value x = b.input("x", DType::f32, {2, 3, 4}), gain = b.input("g", DType::f32, {4});
  auto out = b.emit(layernorm_op(), {x, gain, gain}, Attrs::of(LayernormAttrs{}));
  std::vector<Value> inputs{x, gain, gain}, grads{out[0], out[1], {}};
  OpCall call = program.call(program.order.back());
  std::vector<bool> needed(3, true);
  EXPECT_THROW(layernorm_op().vjp({b, call, inputs, out, grads, needed}), InternalError);
  EXPECT_THROW(b.emit(layernorm_op(), {x, x, gain}, Attrs::of(LayernormAttrs{})), InternalError);
}

TEST(Rmsnorm, ForwardAndGradientRule) {
  for (const auto& shape : shapes) {
    OpCase c = rmsnorm_case(shape);
    check(c);
    check_low(c, 1, 1);
  }
}

TEST(Rmsnorm, Gradient) {
  for (const auto& shape : shapes) {
    OpCase c = rmsnorm_grad_case(shape);
    check(c);
    check_low(c, 3, 0);
  }
}

TEST(Rmsnorm, GradientStartsFromOtherValues) {
  const Shape shape{2, 19, 65};
  OpCase all = rmsnorm_grad_case(shape);
  all.in.insert(all.in.end(), {f32(shape), f32({65})});
  check(all);
  OpCase some = rmsnorm_grad_case(shape);
  some.in.insert(some.in.end(), {f32(shape)});
  check(some);
  check_low(some, 3, 0);
}

}  // namespace
}  // namespace anneal
