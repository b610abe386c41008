#include "anneal/ops/short_conv/short_conv.hpp"

#include <gtest/gtest.h>

#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

using testing::OpCase;

TensorType f32(const Shape& shape) { return {DType::f32, shape}; }

struct Size {
  Shape x;  // [B,T,W]
  int64_t channels, taps;
};

// Sequences shorter than the filter; all columns and some of them; blocks of 256 columns and what
// is left; several slices of rows.
const Size sizes[] = {{{1, 1, 1}, 1, 1},    {{2, 2, 5}, 5, 3},     {{2, 7, 6}, 3, 4},
                      {{1, 5, 70}, 35, 16}, {{2, 9, 600}, 300, 3}, {{3, 150, 12}, 6, 3}};

TEST(ShortConv, ForwardAndGradient) {
  for (const Size& s : sizes) {
    OpCase c{.name = str("short_conv of ", s.channels, " columns, ", s.taps, " taps, ", s.x),
             .op = &short_conv_op(),
             .in = {f32(s.x), f32({s.channels, s.taps})}};
    c.low_inputs = bit(0);
    c.low_outputs = bit(0);
    c.gradient = s.x.elements() < 1000;
    testing::check(c);
    testing::check_low(c);
  }
}

TEST(ShortConv, GradientKernel) {
  for (const Size& s : sizes) {
    OpCase c{.name = str("short_conv_grad of ", s.channels, " columns, ", s.taps, " taps, ", s.x),
             .op = &short_conv_grad_op(),
             .in = {f32(s.x), f32(s.x), f32({s.channels, s.taps})}};
    c.gradient = false;
    testing::check(c);
    for (uint32_t in : {1u, 2u, 3u})
      for (uint32_t out : {0u, 1u}) {
        c.low_inputs = in;
        c.low_outputs = out;
        testing::check_low(c);
      }
  }
}

TEST(ShortConv, RefusesFiltersThatDoNotFit) {
  Program program;
  Builder b(program);
  Value x = b.input("x", DType::f32, {1, 4, 6});
  EXPECT_THROW(short_conv(b, x, b.input("wide", DType::f32, {7, 3})), InternalError);
  EXPECT_THROW(short_conv(b, x, b.input("long", DType::f32, {6, 17})), InternalError);
}

}  // namespace
}  // namespace anneal
