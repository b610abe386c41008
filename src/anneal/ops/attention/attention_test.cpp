#include "anneal/ops/attention/attention.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <cmath>

#include "anneal/ops/attention/cpu.hpp"
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

// The same with dropped weights; the batch starts at a sample of its own.
OpCase with_dropout(OpCase c, double p, double first_sample) {
  auto attrs = c.attrs.as<AttentionAttrs>();
  attrs.dropout = p;
  attrs.key = 0x123456789abcdefull;
  c.attrs = Attrs::of(attrs);
  c.name += str(" dropout ", p);
  auto last = static_cast<int>(c.in.size());
  c.in.push_back(TensorType{DType::i64, {}});
  c.fill = [fill = c.fill, last, first_sample](int i, RefTensor& t) {
    if (i == last)
      t.data[0] = first_sample;
    else if (fill)
      fill(i, t);
  };
  return c;
}

TEST(Attention, DropoutOfWeights) {
  for (int64_t dim : {6, 64, 80})
    for (int64_t positions : {1, 7, 64, 131}) {
      check(with_dropout(forward_case(2, positions, attrs_of(2, 2, dim)), 0.3, 5));
      check(with_dropout(backward_case(2, positions, attrs_of(2, 2, dim)), 0.3, 5));
    }
  check(with_dropout(forward_case(1, 51, attrs_of(6, 2, 16)), 0.5, 5e9));
  check(with_dropout(backward_case(1, 51, attrs_of(6, 2, 16)), 0.5, 5e9));
  check(with_dropout(backward_case(4, 131, attrs_of(4, 2, 64)), 0.1, 0));
}

// The same where a query sees its window and its document only: each sequence is cut into documents
// at `borders`, moved by its index.
OpCase with_bounds(OpCase c, int64_t window, std::vector<int64_t> borders) {
  auto attrs = c.attrs.as<AttentionAttrs>();
  attrs.window = window;
  c.attrs = Attrs::of(attrs);
  c.name += str(" window ", window, " documents ", borders.size());
  if (borders.empty()) return c;
  size_t packed = c.op == &attention_op() ? 0 : 1, last = packed == 0 ? 2 : 5;
  if (c.in.size() < last) c.in.resize(last);
  const Shape& shape = c.in[packed]->shape;
  c.in.push_back(TensorType{DType::i32, {shape[0], shape[1]}});
  c.fill = [=, fill = c.fill, positions = shape[1]](int i, RefTensor& t) {
    if (i != static_cast<int>(last)) return fill(i, t);
    for (size_t e = 0; e < t.data.size(); ++e) {
      auto b = static_cast<int64_t>(e) / positions, at = static_cast<int64_t>(e) % positions;
      bool starts = at == 0 || std::find(borders.begin(), borders.end(), at - b) != borders.end();
      t.data[e] = starts ? 0 : t.data[e - 1] + 1;
    }
  };
  return c;
}

TEST(Attention, Windows) {
  for (int64_t window : {1, 3, 17, 48, 100})
    for (auto attrs : {attrs_of(2, 2, 64), attrs_of(6, 2, 10)}) {
      check(with_bounds(forward_case(1, 131, attrs), window, {}));
      check(with_bounds(backward_case(1, 131, attrs), window, {}));
    }
  check(with_bounds(backward_case(4, 200, attrs_of(4, 2, 64)), 20, {}));
  check(with_dropout(with_bounds(forward_case(2, 131, attrs_of(2, 2, 16)), 20, {}), 0.3, 5));
}

TEST(Attention, Documents) {
  std::vector<int64_t> borders = {1, 2, 9, 60, 96, 97};
  for (auto attrs : {attrs_of(2, 2, 64), attrs_of(6, 2, 10), attrs_of(2, 1, 128)})
    for (int64_t window : {0, 20}) {
      check(with_bounds(forward_case(2, 131, attrs), window, borders));
      check(with_bounds(backward_case(2, 131, attrs), window, borders));
    }
  check(with_bounds(forward_case(2, 7, attrs_of(2, 2, 6)), 0, {3}));
  check(with_bounds(backward_case(4, 200, attrs_of(4, 2, 64)), 0, borders));
  check(
      with_bounds(with_dropout(backward_case(4, 200, attrs_of(4, 2, 16)), 0.3, 5), 30, {70, 129}));
  check(with_bounds(with_dropout(forward_case(2, 75, attrs_of(2, 2, 16)), 0.3, 5), 0, {30}));
  check(with_bounds(with_dropout(backward_case(2, 75, attrs_of(2, 2, 16)), 0.3, 5), 0, {30}));
}

// Values of one and equal scores: each output is the sum of its factors over their number.
std::vector<float> mean_factors(int64_t samples, int64_t first, double p) {
  constexpr int64_t positions = 64, heads = 2, dim = 8;
  auto attrs = attrs_of(heads, heads, dim);
  attrs.dropout = p;
  attrs.key = 77;
  OpCall call{.attrs = Attrs::of(attrs),
              .in = {TensorType{DType::f32, {samples, positions, attrs.packed_columns()}},
                     TensorType{DType::i64, {}}}};
  call.out = attention_op().infer(call);
  std::vector<float> qkv(static_cast<size_t>(call.in[0]->shape.elements()), 1.0f);
  std::vector<float> out(static_cast<size_t>(call.out[0].shape.elements()));
  std::vector<float> lse(static_cast<size_t>(call.out[1].shape.elements()));
  auto kernel = make_attention_kernel(call);
  std::vector<std::byte> workspace(static_cast<size_t>(kernel->workspace_bytes()) + 64);
  const void* in[] = {qkv.data(), &first};
  void* outputs[] = {out.data(), lse.data()};
  kernel->run({in, outputs, workspace.data()});
  return out;
}

TEST(Attention, DropoutKeepsTheExpectation) {
  for (double p : {0.1, 0.5}) {
    auto out = mean_factors(8, 3, p);
    // Row t has t + 1 weights of variance p/(1 − p): Σ over rows of the variance of their mean.
    double sum = 0, variance = 0;
    for (size_t i = 0; i < out.size(); i += 8) {
      auto t = static_cast<double>(i / 16 % 64);
      sum += out[i] - 1;
      variance += p / (1 - p) / (t + 1);
    }
    EXPECT_NEAR(sum, 0, 4 * std::sqrt(variance)) << p;
    EXPECT_GT(variance, 1);
  }
}

TEST(Attention, DropoutDoesNotDependOnTheCutOfTheBatch) {
  auto whole = mean_factors(4, 10, 0.4), first = mean_factors(2, 10, 0.4);
  auto second = mean_factors(2, 12, 0.4);
  first.insert(first.end(), second.begin(), second.end());
  EXPECT_EQ(whole, first);
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
    for (int64_t positions : {51, 131})
      check(backward_case(1, positions, attrs_of(2 * group, 2, 16)));
    check(forward_case(1, 5, attrs_of(2 * group, 2, 6)));
  }
}

TEST(Attention, ManyOwnersVisitTilesOnce) {
  for (int64_t dim : {10, 64}) {
    check(backward_case(4, 131, attrs_of(4, 2, dim)));
    check(backward_case(1, 75, attrs_of(9, 9, dim)));
  }
}

TEST(Attention, ManyPositionsMakeLongTasks) {
  check(forward_case(4, 700, attrs_of(4, 2, 16)));
  check(with_bounds(forward_case(2, 600, attrs_of(7, 7, 8)), 100, {50, 300}));
}

// A row whose scores are all −∞ has no weights; one that sees nothing in some tile has.
TEST(Attention, ScoresBeyondTheRangeAreNotHidden) {
  auto attrs = attrs_of(1, 1, 8);
  constexpr int64_t positions = 60;
  OpCall call{.attrs = Attrs::of(attrs), .in = {TensorType{DType::f32, {1, positions, 24}}}};
  call.out = attention_op().infer(call);
  std::vector<float> qkv(positions * 24, 1.0f), out(positions * 8), lse(positions);
  for (size_t i = 0; i < 8; ++i) qkv[55 * 24 + i] = -3e38f;
  auto kernel = make_attention_kernel(call);
  std::vector<std::byte> workspace(static_cast<size_t>(kernel->workspace_bytes()) + 64);
  const void* in[] = {qkv.data()};
  void* outputs[] = {out.data(), lse.data()};
  kernel->run({in, outputs, workspace.data()});
  for (size_t t = 0; t < positions; ++t) EXPECT_EQ(std::isnan(out[t * 8]), t == 55) << t;
}

TEST(Attention, LargeHeadsUseTheWorkspace) {
  for (int64_t dim : {128, 256, 512}) {
    check(forward_case(1, 40, attrs_of(2, 1, dim)));
    check(backward_case(1, 40, attrs_of(2, 1, dim)));
    check(backward_case(4, 40, attrs_of(2, 2, dim)));
  }
}

}  // namespace
}  // namespace anneal
