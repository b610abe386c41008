#include "anneal/ops/attention/attention.hpp"

#include <gtest/gtest.h>
#include <cmath>

#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

using testing::OpCase;

AttentionAttrs attrs_of(int64_t heads, int64_t kv_heads, int64_t dim) {
  return {.heads = heads,
          .kv_heads = kv_heads,
          .head_dim = dim,
          .scale = 1.0 / std::sqrt(static_cast<double>(dim))};
}

// Scores of a few units, so that the softmax is neither flat nor one-hot.
void spread(RefTensor& t) {
  for (double& x : t.data) x *= 2.5;
}

std::string text_of(const AttentionAttrs& a) {
  return str(a.heads, "/", a.kv_heads, " heads of ", a.head_dim);
}

OpCase forward_case(int64_t batch, int64_t positions, const AttentionAttrs& attrs) {
  OpCase c{.name = str("attention ", batch, "x", positions, " ", text_of(attrs)),
           .op = &attention_op(),
           .attrs = Attrs::of(attrs),
           .in = {TensorType{DType::f32, {batch, positions, attrs.packed_columns()}}}};
  c.fill = [](int, RefTensor& t) { spread(t); };
  c.low_inputs = bit(0);
  c.low_outputs = bit(0);
  c.gradient = batch * positions * attrs.packed_columns() < 4000;
  return c;
}

OpCase backward_case(int64_t batch, int64_t positions, const AttentionAttrs& attrs) {
  Shape out{batch, positions, attrs.heads * attrs.head_dim};
  OpCase c{
      .name = str("attention_grad ", batch, "x", positions, " ", text_of(attrs)),
      .op = &attention_grad_op(),
      .attrs = Attrs::of(attrs),
      .in = {TensorType{DType::f32, out},
             TensorType{DType::f32, {batch, positions, attrs.packed_columns()}},
             TensorType{DType::f32, out}, TensorType{DType::f32, {batch, attrs.heads, positions}}}};
  c.fill = [](int i, RefTensor& t) {
    if (i == 1) spread(t);
    // As large as a true one, so that probabilities stay below one.
    if (i == 3)
      for (double& x : t.data) x = 6 + x;
  };
  c.low_inputs = bit(0) | bit(1) | bit(2);
  c.low_outputs = bit(0);
  c.gradient = false;
  return c;
}

TEST(Attention, OddLengthsAndHeadSizes) {
  for (int64_t dim : {6, 8, 10, 16, 64, 80})
    for (int64_t positions : {1, 7, 65, 129}) {
      check(forward_case(2, positions, attrs_of(2, 2, dim)));
      check(backward_case(2, positions, attrs_of(2, 2, dim)));
    }
}

TEST(Attention, GroupedQueries) {
  for (int64_t group : {2, 3, 7}) {
    check(forward_case(1, 51, attrs_of(2 * group, 2, 16)));
    check(backward_case(1, 51, attrs_of(2 * group, 2, 16)));
    check(forward_case(1, 5, attrs_of(2 * group, 2, 6)));
  }
}

TEST(Attention, ManyOwnersVisitTilesOnce) {
  for (int64_t dim : {10, 64}) {
    check(backward_case(4, 75, attrs_of(4, 2, dim)));
    check(backward_case(1, 33, attrs_of(9, 9, dim)));
  }
}

TEST(Attention, LargeHeadsUseTheWorkspace) {
  for (int64_t dim : {128, 256, 400}) {
    check(forward_case(1, 40, attrs_of(2, 1, dim)));
    check(backward_case(1, 40, attrs_of(2, 1, dim)));
    check(backward_case(4, 40, attrs_of(2, 2, dim)));
  }
}

}  // namespace
}  // namespace anneal
