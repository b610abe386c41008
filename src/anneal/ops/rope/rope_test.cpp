#include "anneal/ops/rope/rope.hpp"

#include <gtest/gtest.h>

#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

TEST(Rope, TurnsQueriesAndKeysOnly) {
  for (int64_t d : {2, 6, 64, 80}) {
    for (bool inverse : {false, true}) {
      RopeAttrs attrs{.heads = 4, .kv_heads = 2, .head_dim = d, .inverse = inverse};
      if (d == 64) attrs.scaling = {.factor = 8, .original_context = 100};
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

TEST(Rope, TurnsAPartOfEachHead) {
  for (int64_t rotated : {2, 16, 18, 40}) {
    RopeAttrs attrs{.heads = 3, .kv_heads = 2, .head_dim = 40, .rotated = rotated};
    testing::OpCase c{.name = str("rope of ", rotated, " columns"),
                      .op = &rope_op(),
                      .attrs = Attrs::of(attrs),
                      .in = {TensorType{DType::f32, {2, 5, 280}}, TensorType{DType::i32, {2, 5}}},
                      .low_inputs = bit(0),
                      .low_outputs = bit(0)};
    c.fill = [](int i, RefTensor& t) {
      for (size_t e = 0; i == 1 && e < t.data.size(); ++e) t.data[e] = static_cast<double>(3 * e);
    };
    check(c);
    auto whole = rope_frequencies({.head_dim = rotated});
    EXPECT_EQ(rope_frequencies(attrs), whole);
  }
}

// The numbers of transformers' rope_type "llama3".
TEST(Rope, ScalingOfLlama3) {
  auto frequencies =
      rope_frequencies({.head_dim = 16,
                        .theta = 500000,
                        .scaling = {.factor = 8, .low = 1, .high = 4, .original_context = 512}});
  const double expected[] = {1.0,
                             0.19392274474868576,
                             0.0273441373147213,
                             0.0009115830921521386,
                             0.00017677669529663688,
                             3.428102195952591e-05,
                             6.647869871181236e-06,
                             1.2891731721515574e-06};
  ASSERT_EQ(frequencies.size(), std::size(expected));
  for (size_t i = 0; i < frequencies.size(); ++i)
    EXPECT_NEAR(frequencies[i], expected[i], 1e-12 * expected[i]) << i;
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
