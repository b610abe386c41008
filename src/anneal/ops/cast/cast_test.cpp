#include "anneal/ops/cast/cast.hpp"

#include <gtest/gtest.h>
#include <cmath>

#include "anneal/ops/registry.hpp"
#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

TEST(Cast, BothWays) {
  for (DType low : low_dtypes)
    for (int64_t n : {1, 7, 65, 129, 5000}) {
      testing::check({.name = str("f32 to ", name_of(low), ", ", n),
                      .op = &cast_op(),
                      .attrs = Attrs::of(CastAttrs{low}),
                      .in = {TensorType{DType::f32, {n}}}});
      testing::check({.name = str(name_of(low), " to f32, ", n),
                      .op = &cast_op(),
                      .attrs = Attrs::of(CastAttrs{DType::f32}),
                      .in = {TensorType{low, {n}}},
                      .tolerance = 0,
                      .gradient = false});
    }
}

template <class T>
void expect_rounds(DType dtype) {
  std::vector<float> x{1.0f,     1.00390625f, 1.01171875f, -3.4e38f, 1e-40f, -0.0f,
                       NAN,      INFINITY,    0.1f,        -2.7f,    65504,  65519.996f,
                       65280.5f, 65520,       -1e6f,       3e-8f,    6e-8f,  -5.9e-5f};
  std::vector<T> y(x.size());
  Shape shape{static_cast<int64_t>(x.size())};
  auto kernel = make_cpu_kernel(cast_op(), {.attrs = Attrs::of(CastAttrs{dtype}),
                                            .in = {TensorType{DType::f32, shape}},
                                            .out = {TensorType{dtype, shape}}});
  const void* in = x.data();
  void* out = y.data();
  kernel->run({&in, &out, nullptr});
  for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(y[i].bits, T(x[i]).bits) << x[i];
}

TEST(Cast, RoundsToNearestEvenAndKeepsNan) {
  expect_rounds<bf16>(DType::bf16);
  expect_rounds<f16>(DType::f16);
}

TEST(Cast, GradientHasTheInputsDtype) {
  Program program;
  Builder b(program);
  Value x = b.input("x", DType::bf16, {3});
  Value y = cast(b, x, DType::f32);
  EXPECT_EQ(cast(b, y, DType::f32), y);
  OpCall call = program.call(program.order.back());
  Value dy = b.input("dy", DType::f32, {3});
  std::vector<Value> inputs{x}, outputs{y}, grads{dy};
  std::vector<bool> needed{true};
  auto dx = cast_op().vjp({b, call, inputs, outputs, grads, needed});
  EXPECT_EQ(b.type(dx[0]).dtype, DType::bf16);
}

}  // namespace
}  // namespace anneal
