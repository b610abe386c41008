#include "anneal/ops/rope/rope.hpp"

#include <gtest/gtest.h>

#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

TEST(Rope, TurnsQueriesAndKeysOnly) {
  for (int64_t d : {2, 6, 64, 80}) {
    for (bool inverse : {false, true}) {
      RopeAttrs attrs{.heads = 4, .kv_heads = 2, .head_dim = d, .inverse = inverse};
      testing::OpCase c{
          .name = str("rope ", d, inverse),
          .op = &rope_op(),
          .attrs = Attrs::of(attrs),
          .in = {TensorType{DType::f32, {2, 5, 8 * d}}, TensorType{DType::i32, {2, 5}}}};
      c.fill = [](int i, RefTensor& t) {
        // Far positions too: angles in FP32 would be off by 1e-3 there.
        for (size_t e = 0; i == 1 && e < t.data.size(); ++e)
          t.data[e] = static_cast<double>(e * e * 1117);
      };
      c.low_inputs = bit(0);
      c.low_outputs = bit(0);
      check(c);
    }
  }
}

TEST(Rope, LowInAndFullOut) {
  RopeAttrs attrs{.heads = 2, .kv_heads = 1, .head_dim = 10};
  testing::OpCase c{.name = "rope widening",
                    .op = &rope_op(),
                    .attrs = Attrs::of(attrs),
                    .in = {TensorType{DType::f32, {1, 7, 40}}, TensorType{DType::i32, {1, 7}}},
                    .low_inputs = bit(0),
                    .gradient = false};
  c.fill = [](int i, RefTensor& t) {
    for (size_t e = 0; i == 1 && e < t.data.size(); ++e) t.data[e] = static_cast<double>(e);
  };
  check(c);
}

}  // namespace
}  // namespace anneal
