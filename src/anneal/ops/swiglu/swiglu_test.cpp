#include <gtest/gtest.h>

#include "anneal/ops/swiglu/swiglu.hpp"
#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

using testing::OpCase;

// [..., F]
const Shape shapes[] = {{1}, {3, 7}, {2, 5, 65}, {1, 2, 300}, {2, 40, 512}};

TensorType f32(const Shape& shape) { return {DType::f32, shape}; }

void check_all(OpCase c) {
  testing::check(c);
  std::string name = c.name;
  for (uint32_t in = 0; in < 1u << c.in.size(); ++in)
    for (uint32_t out = 0; out < 2; ++out) {
      c.low_inputs = in;
      c.low_outputs = out;
      c.name = str(name, " low inputs ", in, " low outputs ", out);
      testing::check_low(c);
    }
}

TEST(Swiglu, ForwardAndGradient) {
  for (const auto& shape : shapes) {
    Shape wide = shape.with_last(2 * shape[-1]);
    check_all({.name = str("swiglu ", shape), .op = &swiglu_op(), .in = {f32(wide)}});
    check_all({.name = str("swiglu_grad ", shape),
               .op = &swiglu_grad_op(),
               .in = {f32(shape), f32(wide)},
               .gradient = false});
  }
}

TEST(Swiglu, LargeGatesSaturate) {
  OpCase c{.name = "swiglu, gates up to 200", .op = &swiglu_op(), .in = {f32({3, 66})}};
  c.fill = [](int, RefTensor& t) {
    for (double& x : t.data) x *= 200;
  };
  c.gradient = false;
  testing::check(c);
  c = {.name = "swiglu_grad, gates up to 200",
       .op = &swiglu_grad_op(),
       .in = {f32({3, 33}), f32({3, 66})},
       .fill = c.fill,
       .gradient = false};
  testing::check(c);
}

TEST(Swiglu, RefusesOddWidths) {
  Program program;
  Builder b(program);
  EXPECT_THROW(swiglu(b, b.input("x", DType::f32, {2, 7})), InternalError);
}

}  // namespace
}  // namespace anneal
