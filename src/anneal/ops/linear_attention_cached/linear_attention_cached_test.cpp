#include "anneal/ops/linear_attention_cached/linear_attention_cached.hpp"

#include <gtest/gtest.h>
#include <cmath>

#include "anneal/base/rng.hpp"
#include "anneal/ops/linear_attention/cpu.hpp"
#include "anneal/ops/linear_attention_cached/cpu.hpp"
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

OpCase case_of(int64_t positions, int64_t start, const LinearAttentionAttrs& attrs) {
  OpCase c{.name = str(positions, " tokens after ", start, ", ", attrs.heads, " heads of ",
                       attrs.feature_dim, " and ", attrs.head_dim),
           .op = &linear_attention_cached_op(),
           .attrs = Attrs::of(attrs),
           .in = {TensorType{DType::f32, {1, positions, attrs.packed_columns()}},
                  TensorType{DType::f32, attrs.state_shape()}, TensorType{DType::i32, {}}}};
  c.fill = [=](int i, RefTensor& t) {
    if (i == 2) t.data[0] = static_cast<double>(start);
    if (i != 1) return;
    // A state of no tokens must not be read; in a true one sums of weights are large beside the
    // rest and what lies behind them is zero.
    int64_t padded = attrs.state_shape()[2], features = attrs.features();
    for (size_t e = 0; e < t.data.size(); ++e) {
      auto at = static_cast<int64_t>(e);
      int64_t column = at % padded, feature = at / padded % features;
      if (start == 0) t.data[e] = std::nan("");
      if (start > 0 && column > attrs.head_dim) t.data[e] = 0;
      if (start > 0 && column == attrs.head_dim && feature == features - 1) t.data[e] = 1000;
    }
  };
  c.low_inputs = bit(0);
  c.low_outputs = bit(0);
  c.gradient = false;
  return c;
}

TEST(LinearAttentionCached, OneTokenAndChunks) {
  for (int64_t positions : {1, 7, 32, 150})
    for (int64_t start : {0, 1000})
      for (int64_t dim : {5, 64}) {
        auto c = case_of(positions, start, attrs_of(2, dim == 5 ? 3 : 16, dim));
        testing::check(c);
        testing::check_low(c);
      }
}

// Token by token, in chunks, and all at once: the same as over the whole sequence. The state of an
// earlier text does not matter.
TEST(LinearAttentionCached, AgreesWithLinearAttention) {
  LinearAttentionAttrs attrs = attrs_of(3, 16, 20);
  constexpr int64_t tokens = 150;
  int64_t columns = attrs.packed_columns(), width = attrs.heads * attrs.head_dim;
  std::vector<float> qkv(static_cast<size_t>(tokens * columns));
  for (size_t i = 0; i < qkv.size(); ++i) qkv[i] = 4 * uniform_float(philox(5, i, 0)[0]) - 2;
  std::vector<float> expected(static_cast<size_t>(tokens * width)), norm(tokens * 3);
  auto run = [](const Kernel& kernel, std::span<const void* const> in, std::span<void* const> out) {
    std::vector<std::byte> workspace(static_cast<size_t>(kernel.workspace_bytes() + 64));
    auto address = reinterpret_cast<uintptr_t>(workspace.data());
    kernel.run({in.data(), out.data(), workspace.data() + (64 - address % 64) % 64});
  };
  {
    OpCall whole{.attrs = Attrs::of(attrs), .in = {TensorType{DType::f32, {1, tokens, columns}}}};
    whole.out = linear_attention_op().infer(whole);
    const void* in[] = {qkv.data()};
    void* out[] = {expected.data(), norm.data()};
    run(*make_linear_attention_kernel(whole), in, out);
  }
  TensorType state_type{DType::f32, attrs.state_shape()};
  std::vector<float> state(static_cast<size_t>(state_type.shape.elements()), std::nanf(""));
  for (int64_t chunk : {1, 25, 150}) {
    OpCall call{.attrs = Attrs::of(attrs),
                .in = {TensorType{DType::f32, {1, chunk, columns}}, state_type,
                       TensorType{DType::i32, {}}}};
    call.out = linear_attention_cached_op().infer(call);
    auto kernel = make_linear_attention_cached_kernel(call);
    std::vector<float> got(expected.size());
    for (int32_t start = 0; start < tokens; start += static_cast<int32_t>(chunk)) {
      const void* in[] = {qkv.data() + start * columns, state.data(), &start};
      void* out[] = {got.data() + start * width, state.data()};
      run(*kernel, in, out);
    }
    for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 5e-6) << chunk;
  }
}

}  // namespace
}  // namespace anneal
