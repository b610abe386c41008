#include "anneal/ops/cast/cast.hpp"

#include <gtest/gtest.h>
#include <cmath>

#include "anneal/ops/registry.hpp"
#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

TEST(Cast, BothWays) {
  for (int64_t n : {1, 7, 65, 129, 5000}) {
    testing::check({.name = str("f32 to bf16, ", n),
                    .op = &cast_op(),
                    .attrs = Attrs::of(CastAttrs{DType::bf16}),
                    .in = {TensorType{DType::f32, {n}}}});
    testing::check({.name = str("bf16 to f32, ", n),
                    .op = &cast_op(),
                    .attrs = Attrs::of(CastAttrs{DType::f32}),
                    .in = {TensorType{DType::bf16, {n}}},
                    .tolerance = 0,
                    .gradient = false});
  }
}

TEST(Cast, RoundsToNearestEvenAndKeepsNan) {
  std::vector<float> x{1.0f, 1.00390625f, 1.01171875f, -3.4e38f, 1e-40f,  -0.0f,
                       NAN,  INFINITY,    0.1f,        -2.7f,    65280.5f};
  std::vector<bf16> y(x.size());
  Shape shape{static_cast<int64_t>(x.size())};
  auto kernel = make_cpu_kernel(cast_op(), {.attrs = Attrs::of(CastAttrs{DType::bf16}),
                                            .in = {TensorType{DType::f32, shape}},
                                            .out = {TensorType{DType::bf16, shape}}});
  const void* in = x.data();
  void* out = y.data();
  kernel->run({&in, &out, nullptr});
  for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(y[i].bits, bf16(x[i]).bits) << x[i];
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
