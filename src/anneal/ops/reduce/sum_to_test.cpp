#include "anneal/ops/reduce/sum_to.hpp"

#include <gtest/gtest.h>

#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

using testing::OpCase;

OpCase sum_case(Shape from, Shape to, bool accumulate = false) {
  OpCase c{.name = str("sum ", from, " to ", to, accumulate ? " into" : ""),
           .op = &sum_to_op(),
           .attrs = Attrs::of(SumToAttrs{to}),
           .in = {TensorType{DType::f32, from}}};
  if (accumulate) c.in.push_back(TensorType{DType::f32, to});
  c.low_inputs = bit(0);
  c.gradient = !accumulate;
  return c;
}

TEST(SumTo, ScalarSuffixAndColumn) {
  check(sum_case({3, 5, 33}, {}));
  check(sum_case({3, 5, 33}, {33}));
  check(sum_case({3, 5, 33}, {5, 33}));
  check(sum_case({3, 5, 33}, {3, 5, 1}));
}

TEST(SumTo, Accumulates) {
  check(sum_case({3, 5, 33}, {}, true));
  check(sum_case({3, 5, 33}, {33}, true));
  check(sum_case({3, 5, 33}, {3, 5, 1}, true));
}

TEST(SumTo, MoreThanOneSlice) {
  auto rows = sum_case({9001, 3}, {3});
  // FP32 chains of 256 terms in U(-1,1) and 35 of their sums: the rounding error grows as the
  // square root of both.
  rows.tolerance = 32;
  rows.gradient = false;
  check(rows);
  // … and more than one block of columns.
  for (bool accumulates : {false, true}) {
    auto wide = sum_case({600, 1100}, {1100}, accumulates);
    wide.tolerance = 32;
    wide.gradient = false;
    check(wide);
  }
  auto all = sum_case({200, 701}, {});
  all.gradient = false;
  check(all);
}

TEST(Broadcast, EveryForm) {
  for (Shape from : {Shape{}, Shape{33}, Shape{5, 33}, Shape{3, 5, 1}}) {
    OpCase c{.name = str("broadcast ", from),
             .op = &broadcast_op(),
             .attrs = Attrs::of(BroadcastAttrs{{3, 5, 33}}),
             .in = {TensorType{DType::f32, from}}};
    c.low_inputs = bit(0);
    c.low_outputs = bit(0);
    check(c);
  }
}

}  // namespace
}  // namespace anneal
