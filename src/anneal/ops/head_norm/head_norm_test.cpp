#include "anneal/ops/head_norm/head_norm.hpp"

#include <gtest/gtest.h>
#include <cmath>

#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

using testing::OpCase;

TensorType f32(const Shape& shape) { return {DType::f32, shape}; }

struct Size {
  Shape rows;  // [B,T]
  int64_t heads, kv_heads, d;
};

// Groups of four heads and what is left of them; widths that are no multiple of a vector; 300 rows
// make several slices of the sums over rows, and 1100 more than one row in each.
const Size sizes[] = {{{1, 1}, 1, 1, 2},  {{2, 3}, 4, 2, 16},  {{1, 5}, 7, 1, 33},
                      {{2, 9}, 6, 5, 64}, {{2, 150}, 2, 1, 8}, {{1, 1100}, 1, 1, 5}};

Attrs attrs_of(const Size& s) {
  return Attrs::of(
      HeadNormAttrs{.heads = s.heads, .kv_heads = s.kv_heads, .head_dim = s.d, .eps = 1e-6});
}
TensorType packed(const Size& s) {
  return f32({s.rows[0], s.rows[1], (s.heads + 2 * s.kv_heads) * s.d});
}

OpCase forward_case(const Size& s) {
  return {.name = str("head_norm ", packed(s), " of ", s.heads, " and ", s.kv_heads),
          .op = &head_norm_op(),
          .attrs = attrs_of(s),
          .in = {packed(s), f32({s.d}), f32({s.d})}};
}

OpCase gradient_case(const Size& s) {
  return {.name = str("head_norm_grad ", packed(s), " of ", s.heads, " and ", s.kv_heads),
          .op = &head_norm_grad_op(),
          .attrs = attrs_of(s),
          .in = {packed(s), packed(s), f32({s.d}), f32({s.d}),
                 f32({s.rows[0], s.rows[1], s.heads + s.kv_heads})},
          .gradient = false};
}

// Every combination of low-precision inputs and outputs among the given ones.
void check_low(OpCase c, uint32_t inputs) {
  std::string name = c.name;
  for (uint32_t in = 0; in <= inputs; ++in)
    for (uint32_t out : {0u, 1u}) {
      if ((in | out) == 0) continue;
      c.low_inputs = in;
      c.low_outputs = out;
      c.name = str(name, " low inputs ", in, " low outputs ", out);
      testing::check_low(c);
    }
}

TEST(HeadNorm, ForwardAndGradientRule) {
  for (const Size& size : sizes) {
    OpCase c = forward_case(size);
    // Central differences of a thousand rows take too long, and two columns are nearly a sign.
    c.gradient = size.rows[1] < 1000 && size.d > 2;
    testing::check(c);
    check_low(c, 1);
  }
}

TEST(HeadNorm, Gradient) {
  for (const Size& size : sizes) {
    testing::check(gradient_case(size));
    check_low(gradient_case(size), 3);
  }
}

TEST(HeadNorm, GradientStartsFromOtherValues) {
  OpCase both = gradient_case({{2, 19}, 4, 2, 33});
  both.in.insert(both.in.end(), {f32({33}), f32({33})});
  testing::check(both);
  check_low(both, 3);
  OpCase keys = gradient_case({{2, 19}, 4, 2, 33});
  keys.in.insert(keys.in.end(), {std::nullopt, f32({33})});
  testing::check(keys);
}

TEST(HeadNorm, NanStaysInItsHead) {
  OpCase c = forward_case({{2, 4}, 3, 1, 20});
  c.fill = [](int i, RefTensor& t) {
    if (i == 0) t.data[100 * 3 + 39] = NAN;
  };
  c.gradient = false;
  testing::check(c);
}

TEST(HeadNorm, RefusesRowsOfOtherHeads) {
  Program program;
  Builder b(program);
  Value x = b.input("x", DType::f32, {2, 3, 32}), gain = b.input("g", DType::f32, {8});
  HeadNormAttrs attrs{.heads = 2, .kv_heads = 1, .head_dim = 8};
  EXPECT_NO_THROW(head_norm(b, x, gain, gain, attrs));
  attrs.heads = 1;
  EXPECT_THROW(head_norm(b, x, gain, gain, attrs), InternalError);
}

}  // namespace
}  // namespace anneal
