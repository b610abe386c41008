#include "anneal/ops/attention_cached/attention_cached.hpp"

#include <gtest/gtest.h>
#include <cmath>

#include "anneal/base/rng.hpp"
#include "anneal/device/arena.hpp"
#include "anneal/ops/attention/cpu.hpp"
#include "anneal/ops/attention_cached/cpu.hpp"
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

OpCase case_of(int64_t positions, int64_t start, int64_t context, const AttentionAttrs& attrs,
               DType cache) {
  TensorType cache_type{cache, {attrs.kv_heads, context, attrs.head_dim}};
  OpCase c{.name = str(positions, " tokens after ", start, " of ", context, ", ", attrs.heads, "/",
                       attrs.kv_heads, " heads of ", attrs.head_dim, ", cache ", name_of(cache)),
           .op = &attention_cached_op(),
           .attrs = Attrs::of(attrs),
           .in = {TensorType{DType::f32, {1, positions, attrs.packed_columns()}}, cache_type,
                  cache_type, TensorType{DType::i32, {}}}};
  c.fill = [=](int i, RefTensor& t) {
    if (i == 0)
      for (double& x : t.data) x *= 2;
    if (i == 3) t.data[0] = static_cast<double>(start);
    // What lies beyond the tokens so far must not be read: a NaN there would show.
    if (i == 1 || i == 2)
      for (size_t e = 0; e < t.data.size(); ++e) {
        auto row = static_cast<int64_t>(e) / attrs.head_dim % context;
        if (row >= start + positions) t.data[e] = std::nan("");
      }
  };
  // Keys and values are rounded in a cache of 16 bits before they are used (the reference does not
  // round): bf16 2^-9 relative in each, or 2^14 ulp of f32, f16 2^-12, for scores and values up to
  // about 4.
  if (is_low(cache)) c.tolerance = 4 * (cache == DType::bf16 ? 1 << 14 : 1 << 11);
  c.low_inputs = bit(0);
  c.low_outputs = bit(0);
  c.gradient = false;
  return c;
}

TEST(AttentionCached, OneTokenAndChunks) {
  for (int64_t positions : {1, 7, 32})
    for (int64_t start : {0, 1, 65, 100})
      for (int64_t dim : {6, 64}) {
        check(case_of(positions, start, 140, attrs_of(2, 2, dim), DType::f32));
        check(case_of(positions, start, 140, attrs_of(6, 2, dim), DType::f32));
      }
}

TEST(AttentionCached, LongChunkAndLastRow) {
  check(case_of(256, 3, 259, attrs_of(3, 1, 16), DType::f32));
  check(case_of(1, 63, 64, attrs_of(2, 1, 80), DType::f32));
}

// One token against parts of 128 keys, and against longer ones.
TEST(AttentionCached, OneTokenAfterMany) {
  for (int64_t start : {127, 128, 300, 1000})
    for (int64_t heads : {1, 2, 3, 4, 5, 9})
      check(case_of(1, start, start + 5, attrs_of(heads, 1, 24), DType::f32));
  check(case_of(1, 128 * 64 + 3, 128 * 64 + 9, attrs_of(2, 1, 8), DType::f32));
  AttentionAttrs window = attrs_of(6, 2, 64);
  window.window = 200;
  check(case_of(1, 700, 1000, window, DType::f32));
}

TEST(AttentionCached, LowPrecisionCache) {
  for (int64_t positions : {1, 33})
    for (DType cache : low_dtypes) {
      auto c = case_of(positions, 20, 70, attrs_of(4, 2, 64), cache);
      testing::check_kernel(c);
      testing::check_kernel(c, cache);
    }
  for (int64_t dim : {6, 24})
    for (DType cache : low_dtypes)
      testing::check_kernel(case_of(1, 300, 310, attrs_of(4, 2, dim), cache));
}

TEST(AttentionCached, Window) {
  for (int64_t window : {1, 5, 40, 200})
    for (int64_t positions : {1, 32}) {
      auto attrs = attrs_of(4, 2, 16);
      attrs.window = window;
      check(case_of(positions, 65, 140, attrs, DType::f32));
      check(case_of(positions, 50, 64, attrs, DType::f32));
    }
}

TEST(AttentionCached, ATokenBeyondTheCache) {
  AttentionAttrs attrs = attrs_of(2, 2, 16);
  check(case_of(1, 64, 64, attrs, DType::f32));
  attrs.window = 1;  // itself only, which has no place
  check(case_of(1, 64, 64, attrs, DType::f32));
}

TEST(AttentionCached, ChunkThatOverrunsTheCache) {
  check(case_of(32, 50, 64, attrs_of(2, 2, 16), DType::f32));
}

// Token by token, in chunks, and all at once: the same as attention over the whole sequence.
TEST(AttentionCached, AgreesWithAttention) {
  AttentionAttrs attrs = attrs_of(4, 2, 16);
  constexpr int64_t tokens = 75;
  int64_t columns = attrs.packed_columns(), width = attrs.heads * attrs.head_dim;
  std::vector<float> qkv(static_cast<size_t>(tokens * columns));
  for (size_t i = 0; i < qkv.size(); ++i) qkv[i] = uniform_float(philox(5, i, 0)[0]) * 2 - 1;
  OpCall whole{.attrs = Attrs::of(attrs), .in = {TensorType{DType::f32, {1, tokens, columns}}}};
  whole.out = attention_op().infer(whole);
  std::vector<float> expected(static_cast<size_t>(tokens * width)), lse(tokens * 4);
  {
    const void* in[] = {qkv.data()};
    void* out[] = {expected.data(), lse.data()};
    make_attention_kernel(whole)->run({in, out, nullptr});
  }
  for (int64_t chunk : {1, 25, 75}) {
    TensorType cache{DType::f32, {attrs.kv_heads, 80, attrs.head_dim}};
    OpCall call{.attrs = Attrs::of(attrs),
                .in = {TensorType{DType::f32, {1, chunk, columns}}, cache, cache,
                       TensorType{DType::i32, {}}}};
    call.out = attention_cached_op().infer(call);
    auto kernel = make_attention_cached_kernel(call);
    std::vector<float> k(static_cast<size_t>(cache.shape.elements())), v(k);
    std::vector<float> got(expected.size());
    Arena workspace(kernel->workspace_bytes());
    for (int32_t start = 0; start < tokens; start += static_cast<int32_t>(chunk)) {
      const void* in[] = {qkv.data() + start * columns, k.data(), v.data(), &start};
      void* out[] = {got.data() + start * width, k.data(), v.data()};
      kernel->run({in, out, workspace.at(0)});
    }
    for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 1e-6) << chunk;
  }
}

}  // namespace
}  // namespace anneal
