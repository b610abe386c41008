#include "anneal/ops/head_loss/head_loss.hpp"

#include <gtest/gtest.h>
#include <cmath>

#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ops/head_loss/kernel.hpp"
#include "anneal/ops/registry.hpp"
#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

using testing::OpCase;

struct Sizes {
  Shape x;  // [..., C]
  int64_t vocabulary;
  int64_t chunk_rows;
};

const Sizes cases[] = {
    {{1, 1, 1}, 1, 0},    {{3, 7}, 5, 2},        {{2, 5, 8}, 65, 3},
    {{2, 9, 33}, 129, 6}, {{1, 40, 16}, 300, 0}, {{3, 13, 40}, 257, 16},
};

std::vector<std::optional<TensorType>> inputs_of(const Sizes& s) {
  Shape rows;
  for (int i = 0; i + 1 < s.x.rank(); ++i) rows.push_back(s.x[i]);
  return {TensorType{DType::f32, s.x}, TensorType{DType::f32, {s.vocabulary, s.x[-1]}},
          TensorType{DType::i32, rows}, TensorType{DType::f32, {}}};
}

// Every third row does not count. dloss is large, as a loss scale may be, so that gradients stand
// out against the tolerance, which is relative to at least 1.
auto fill_for(int64_t vocabulary, bool all_ignored = false) {
  return [=](int i, RefTensor& t) {
    if (i == 1)
      for (double& w : t.data) w *= 2;
    if (i == 2)
      for (size_t r = 0; r < t.data.size(); ++r)
        t.data[r] = all_ignored || r % 3 == 1
                        ? -1
                        : static_cast<double>((r * 37 + 11) % static_cast<size_t>(vocabulary));
    if (i == 3) t.data[0] = 0.0625;
    if (i == 4) t.data[0] = 100;
  };
}

// Each term of the loss alone, and both.
const HeadLossAttrs objectives[] = {
    {}, {.label_smoothing = 0.1}, {.z_loss = 0.02}, {.label_smoothing = 0.3, .z_loss = 0.01}};

OpCase loss_case(const Sizes& s, HeadLossAttrs attrs = {}) {
  attrs.chunk_rows = s.chunk_rows;
  return {.name = str("head_loss ", s.x, " V=", s.vocabulary, " ε=", attrs.label_smoothing,
                      " ζ=", attrs.z_loss),
          .op = &head_loss_op(),
          .attrs = Attrs::of(attrs),
          .in = inputs_of(s),
          .fill = fill_for(s.vocabulary)};
}

OpCase grad_case(const Sizes& s, bool accumulate, const HeadLossAttrs& attrs = {}) {
  OpCase c = loss_case(s, attrs);
  c.name += accumulate ? ", gradient, accumulating" : ", gradient";
  c.op = &head_loss_grad_op();
  c.in.push_back(TensorType{DType::f32, {}});
  if (accumulate) c.in.push_back(c.in[1]);
  c.gradient = false;
  return c;
}

TEST(HeadLoss, LossAndGradientRule) {
  for (const auto& s : cases)
    for (const auto& attrs : objectives) {
      OpCase c = loss_case(s, attrs);
      c.low_inputs = 3;
      testing::check(c);
    }
}

TEST(HeadLoss, Gradient) {
  for (const auto& s : cases)
    for (bool accumulate : {false, true}) {
      OpCase c = grad_case(s, accumulate);
      testing::check(c);
      // Where products take bf16 operands, d is rounded to 8 bits: each of up to 40 terms of an
      // element of dweight, at most inv_valid·dloss = 6.25, is off by 2^-9 of it at worst; the
      // errors add up as a random walk.
      c.tolerance = 6.25 * std::sqrt(40.0) * 0x1p-9 / 0x1p-23;
      c.low_inputs = 3;
      for (uint32_t low_dx : {0u, 4u}) {
        c.low_outputs = low_dx;
        testing::check_low(c);
      }
      c.tolerance = 32;
      for (uint32_t one : {1u, 2u}) {
        c.low_inputs = one;
        c.low_outputs = 0;
        testing::check_low(c);
      }
    }
}

TEST(HeadLoss, GradientWithAFrozenWeight) {
  for (const auto& s : cases)
    for (const auto& attrs : objectives) {
      OpCase c = grad_case(s, false, attrs);
      c.name += ", frozen weight";
      c.op = &head_loss_input_grad_op();
      testing::check(c);
      // As above, for dx: d is rounded to 8 bits.
      c.tolerance = 6.25 * std::sqrt(40.0) * 0x1p-9 / 0x1p-23;
      c.low_inputs = 3;
      testing::check_low(c);
    }
}

TEST(HeadLoss, GradientOfEveryTerm) {
  for (const auto& s : cases)
    for (const auto& attrs : objectives) testing::check(grad_case(s, true, attrs));
}

TEST(HeadLoss, NoRowCounts) {
  const Sizes s{{2, 5, 8}, 65, 3};
  OpCase c = loss_case(s);
  c.fill = fill_for(s.vocabulary, true);
  testing::check(c);
  for (bool accumulate : {false, true}) {
    c = grad_case(s, accumulate);
    c.fill = fill_for(s.vocabulary, true);
    testing::check(c);
  }
}

TEST(HeadLoss, LargeLogitsStayFinite) {
  for (double size : {100.0, 1e4}) {
    const Sizes s{{2, 5, 8}, 65, 4};
    OpCase c = grad_case(s, false);
    c.name += str(", logits up to ", size);
    c.fill = [&](int i, RefTensor& t) {
      fill_for(s.vocabulary)(i, t);
      if (i == 0)
        for (double& x : t.data) x *= size;
    };
    // The error of a logit is eps times its size, and a gradient moves as much as a logit does.
    c.tolerance = 32 * size;
    testing::check(c);
  }
}

// Runs both kernels on rows of C = 1, where the logits are x·weight = weight.
struct Result {
  float loss = -1, correct = -1;
  std::vector<float> dweight;
};
Result run(const OpDef& op, const std::vector<float>& weight, int32_t target,
           const HeadLossAttrs& attrs = {}) {
  int64_t v = static_cast<int64_t>(weight.size());
  OpCall call{.attrs = Attrs::of(attrs), .in = inputs_of({{1, 1}, v, 0})};
  bool gradient = &op == &head_loss_grad_op();
  if (gradient) call.in.push_back(TensorType{DType::f32, {}});
  call.out = op.infer(call);
  auto kernel = make_cpu_kernel(op, call);
  std::vector<std::byte> workspace(static_cast<size_t>(kernel->workspace_bytes()) + 64);
  auto address = reinterpret_cast<uintptr_t>(workspace.data());
  Result result{.dweight = std::vector<float>(weight.size())};
  float one = 1, dx = 0;
  const void* in[] = {&one, weight.data(), &target, &one, &one};
  void* out[] = {&result.loss, &result.correct, &dx, result.dweight.data()};
  kernel->run({in, out, workspace.data() + (64 - address % 64) % 64});
  return result;
}

TEST(HeadLoss, LowestIdWinsTies) {
  std::vector<float> logits(131, -1.0f);
  for (size_t at : {128u, 70u, 37u, 21u}) {
    logits[at] = 0.5f;
    for (const OpDef* op : {&head_loss_op(), &head_loss_grad_op()}) {
      EXPECT_EQ(run(*op, logits, static_cast<int32_t>(at)).correct, 1) << at;
      EXPECT_EQ(run(*op, logits, 128).correct, at == 128) << at;
    }
  }
}

TEST(HeadLoss, LogitsThatAreNotFiniteMakeTheLossNan) {
  for (size_t size : {3u, 16u, 131u})
    for (float bad : {NAN, INFINITY, -INFINITY})
      for (size_t at : {size_t{0}, size_t{1}, size - 1}) {
        std::vector<float> logits(size, 0.25f);
        logits[at] = bad;
        for (const OpDef* op : {&head_loss_op(), &head_loss_grad_op()})
          for (const auto& attrs : objectives) {
            Result r = run(*op, logits, 1, attrs);
            EXPECT_TRUE(std::isnan(r.loss)) << bad << " at " << at << " of " << size;
            EXPECT_EQ(r.correct, 0);
          }
      }
}

TEST(HeadLoss, TargetsBeyondTheVocabularyMakeTheLossNan) {
  const Sizes s{{2, 5, 8}, 65, 3};
  for (const OpDef* op : {&head_loss_op(), &head_loss_grad_op()}) {
    OpCase c = op == &head_loss_op() ? loss_case(s) : grad_case(s, false);
    c.fill = [&](int i, RefTensor& t) {
      fill_for(s.vocabulary)(i, t);
      if (i == 2) t.data[4] = 65;
    };
    c.gradient = false;
    testing::check(c);
  }
}

TEST(HeadLoss, GradientNodeStandsForTheForwardOne) {
  const Subsumes& s = head_loss_grad_op().subsumes;
  EXPECT_EQ(s.op, &head_loss_op());
  std::vector<float> logits;
  for (int i = 0; i < 517; ++i) logits.push_back(std::sin(static_cast<float>(i)) * 3);
  for (const auto& attrs : objectives) {
    Result forward = run(head_loss_op(), logits, 99, attrs);
    Result backward = run(head_loss_grad_op(), logits, 99, attrs);
    EXPECT_EQ(forward.loss, backward.loss);
    EXPECT_EQ(forward.correct, backward.correct);
    if (attrs.z_loss > 0) continue;
    // The gradient of a cross-entropy, smoothed or not, sums to zero.
    double sum = 0;
    for (float g : backward.dweight) sum += static_cast<double>(g);
    EXPECT_NEAR(sum, 0, 1e-6);
  }
}

// What products of bf16 operands are given, also where this CPU has none.
TEST(HeadLoss, LowGradientIsTheRoundedOne) {
  const auto& kernels = *pick(&portable::head_loss, &avx2::head_loss, &avx512::head_loss);
  for (const auto& attrs : objectives) {
    std::vector<float> logits;
    for (int i = 0; i < 517; ++i) logits.push_back(std::sin(static_cast<float>(i)) * 3);
    auto n = static_cast<int64_t>(logits.size());
    RowTarget target{99, attrs.label_smoothing, attrs.z_loss};
    auto d = logits, lost = logits;
    std::vector<bf16> low(logits.size());
    double loss = kernels.gradient_f32(d.data(), n, target, 0.37).loss;
    EXPECT_EQ(kernels.gradient_bf16(lost.data(), n, target, 0.37, low.data()).loss, loss);
    for (size_t i = 0; i < d.size(); ++i) EXPECT_EQ(low[i].bits, bf16(d[i]).bits) << i;
  }
}

// By hand: two classes with logits log 3 and 0, so that softmax is 3/4 and 1/4 and lse = log 4.
TEST(HeadLoss, TermsByHand) {
  double lse = std::log(4.0), a = lse - std::log(3.0), b = lse;
  std::vector<float> logits{static_cast<float>(std::log(3.0)), 0};
  Result r = run(head_loss_grad_op(), logits, 0, {.label_smoothing = 0.2, .z_loss = 0.5});
  EXPECT_NEAR(r.loss, 0.8 * a + 0.2 * (a + b) / 2 + 0.5 * lse * lse, 1e-6);
  EXPECT_NEAR(r.dweight[0], 0.75 - 0.9 + lse * 0.75, 1e-6);
  EXPECT_NEAR(r.dweight[1], 0.25 - 0.1 + lse * 0.25, 1e-6);
}

// A row of many blocks of sums: its length does not add to the error.
TEST(HeadLoss, LongRowsOfSmoothedTargets) {
  const Sizes s{{2, 3}, 50257, 0};
  for (const auto& attrs : objectives) {
    OpCase c = grad_case(s, false, attrs);
    testing::check(c);
  }
}

TEST(HeadLoss, RefusesMismatchedOperands) {
  Program program;
  Builder b(program);
  Value x = b.input("x", DType::f32, {2, 3, 4}), inv = b.input("inv", DType::f32, {});
  Value weight = b.input("w", DType::f32, {7, 4}), narrow = b.input("n", DType::f32, {7, 5});
  Value targets = b.input("t", DType::i32, {2, 3}), flat = b.input("f", DType::i32, {6});
  EXPECT_NO_THROW(head_loss(b, x, weight, targets, inv));
  EXPECT_THROW(head_loss(b, x, narrow, targets, inv), InternalError);
  EXPECT_THROW(head_loss(b, x, weight, flat, inv), InternalError);
  EXPECT_THROW(head_loss(b, x, weight, targets, x), InternalError);
  EXPECT_THROW(head_loss(b, x, weight, targets, inv, {.label_smoothing = 1}), InternalError);
  EXPECT_THROW(head_loss(b, x, weight, targets, inv, {.z_loss = -0.1}), InternalError);
}

}  // namespace
}  // namespace anneal
