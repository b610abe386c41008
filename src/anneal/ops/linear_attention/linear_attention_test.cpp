#include "anneal/ops/linear_attention/linear_attention.hpp"

#include <gtest/gtest.h>
#include <cmath>

#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

using testing::OpCase;

LinearAttentionAttrs attrs_of(int64_t heads, int64_t feature_dim, int64_t dim) {
  return {.heads = heads,
          .feature_dim = feature_dim,
          .head_dim = dim,
          .scale = 1 / std::sqrt(static_cast<double>(feature_dim))};
}

std::string text_of(const LinearAttentionAttrs& a) {
  return str(a.heads, " heads of ", a.feature_dim, " and ", a.head_dim);
}

TensorType f32(const Shape& shape) { return {DType::f32, shape}; }

// Products of a few units: all three terms of the weights matter.
void spread(RefTensor& t) {
  for (double& x : t.data) x *= 2;
}

OpCase forward_case(int64_t batch, int64_t positions, const LinearAttentionAttrs& attrs) {
  OpCase c{.name = str("linear_attention ", batch, "x", positions, " ", text_of(attrs)),
           .op = &linear_attention_op(),
           .attrs = Attrs::of(attrs),
           .in = {f32({batch, positions, attrs.packed_columns()})}};
  c.fill = [](int, RefTensor& t) { spread(t); };
  c.low_inputs = bit(0);
  c.low_outputs = bit(0);
  c.gradient = batch * positions * attrs.packed_columns() < 3000;
  return c;
}

OpCase backward_case(int64_t batch, int64_t positions, const LinearAttentionAttrs& attrs) {
  Shape out{batch, positions, attrs.heads * attrs.head_dim};
  OpCase c{.name = str("linear_attention_grad ", batch, "x", positions, " ", text_of(attrs)),
           .op = &linear_attention_grad_op(),
           .attrs = Attrs::of(attrs),
           .in = {f32(out), f32({batch, positions, attrs.packed_columns()}), f32(out),
                  f32({batch, attrs.heads, positions})}};
  c.fill = [](int i, RefTensor& t) {
    if (i == 1) spread(t);
    // As large as true ones.
    if (i == 3)
      for (double& x : t.data) x = 30 + 10 * x;
  };
  c.low_inputs = bit(0) | bit(1) | bit(2);
  c.low_outputs = bit(0);
  c.gradient = false;
  return c;
}

void check_both(int64_t batch, int64_t positions, const LinearAttentionAttrs& attrs) {
  for (const OpCase& c :
       {forward_case(batch, positions, attrs), backward_case(batch, positions, attrs)}) {
    testing::check(c);
    testing::check_low(c);
  }
}

// One chunk and part of one: no state is involved.
TEST(LinearAttention, ShortSequences) {
  check_both(1, 1, attrs_of(1, 1, 1));
  check_both(2, 7, attrs_of(2, 3, 5));
  check_both(1, 64, attrs_of(1, 4, 3));
}

// Several chunks, the last of them not full; widths around those of vectors.
TEST(LinearAttention, ThroughTheState) {
  check_both(1, 65, attrs_of(1, 2, 3));
  check_both(2, 200, attrs_of(2, 5, 15));
  check_both(1, 129, attrs_of(1, 17, 16));
  check_both(1, 300, attrs_of(3, 16, 64));
}

TEST(LinearAttention, Wide) { check_both(1, 70, attrs_of(2, 24, 100)); }

TEST(LinearAttention, RefusesOtherWidths) {
  Program program;
  Builder b(program);
  EXPECT_THROW(linear_attention(b, b.input("x", DType::f32, {1, 4, 30}), attrs_of(2, 4, 8)),
               InternalError);
}

}  // namespace
}  // namespace anneal
