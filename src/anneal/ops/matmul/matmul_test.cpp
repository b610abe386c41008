#include "anneal/ops/matmul/matmul.hpp"

#include <gtest/gtest.h>

#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

using testing::OpCase;

OpCase matmul_case(std::string name, MatmulAttrs attrs, Shape a, Shape b, bool bias = false,
                   bool accumulate = false) {
  OpCall call{.attrs = Attrs::of(attrs),
              .in = {TensorType{DType::f32, a}, TensorType{DType::f32, b}}};
  TensorType out = matmul_op().infer(call)[0];
  OpCase c{.name = std::move(name), .op = &matmul_op(), .attrs = call.attrs, .in = call.in};
  c.in.resize(2 + (bias || accumulate) + accumulate);
  if (bias) c.in[2] = TensorType{DType::f32, {out.shape[-1]}};
  if (accumulate) c.in[3] = out;
  c.low_inputs = bit(0) | bit(1);
  // Only f32 is accumulated into.
  c.low_outputs = accumulate ? 0 : bit(0);
  return c;
}

TEST(Matmul, Plain) { check(matmul_case("plain", {}, {3, 5, 7}, {7, 9})); }
TEST(Matmul, BTransposedWithBias) {
  check(matmul_case("bT", {.trans_b = true}, {2, 17, 33}, {65, 33}, true));
}
TEST(Matmul, ATransposed) { check(matmul_case("aT", {.trans_a = true}, {2, 19, 5}, {2, 19, 11})); }
TEST(Matmul, Accumulates) {
  check(matmul_case("acc", {.trans_a = true}, {4, 5, 6}, {4, 5, 3}, false, true));
}
TEST(Matmul, OneRowAndOneColumn) {
  check(matmul_case("row", {.trans_b = true}, {1, 1, 130}, {129, 130}));
  check(matmul_case("column", {}, {3, 40, 16}, {16, 1}));
}
TEST(Matmul, SeveralTiles) {
  auto c = matmul_case("tiles", {.trans_a = true}, {1, 70, 201}, {1, 70, 300});
  c.gradient = false;
  check(c);
}
TEST(Matmul, BiasReachesEveryTile) {
  auto c = matmul_case("bias tiles", {}, {150, 20}, {20, 210}, true);
  c.gradient = false;
  check(c);
}

// Sums of up to 2^22, most of which f16 holds as infinity: a loss scale that is too large shows.
TEST(Matmul, OverflowsToInfinity) {
  for (Shape a : {Shape{1, 1, 64}, Shape{2, 17, 64}}) {
    auto c = matmul_case(str("overflow ", a), {}, a, {64, 33});
    c.fill = [](int, RefTensor& t) {
      for (double& x : t.data) x *= 256;
    };
    c.gradient = false;
    check(c);
  }
}

TEST(Matmul, InnerExtentsMustAgree) {
  Program program;
  Builder b(program);
  Value x = b.input("x", DType::f32, {4, 5}), w = b.input("w", DType::f32, {6, 7});
  EXPECT_THROW(matmul(b, x, w), InternalError);
}

}  // namespace
}  // namespace anneal
