#include "anneal/ops/columns/columns.hpp"

#include <gtest/gtest.h>

#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

using testing::OpCase;

TEST(Columns, Taken) {
  for (auto [first, count] : {std::pair<int64_t, int64_t>{0, 5}, {3, 16}, {30, 7}, {0, 37}}) {
    OpCase c{.name = str("take_columns ", first, "+", count),
             .op = &take_columns_op(),
             .attrs = Attrs::of(ColumnsAttrs{first, count}),
             .in = {TensorType{DType::f32, {2, 5, 37}}}};
    c.low_inputs = bit(0);
    c.low_outputs = bit(0);
    check(c);
  }
}

TEST(Columns, Added) {
  for (auto [first, count] : {std::pair<int64_t, int64_t>{0, 5}, {3, 16}, {30, 7}, {0, 37}}) {
    OpCase c{.name = str("add_columns ", first, "+", count),
             .op = &add_columns_op(),
             .attrs = Attrs::of(ColumnsAttrs{first, count}),
             .in = {TensorType{DType::f32, {2, 5, 37}}, TensorType{DType::f32, {2, 5, count}}}};
    c.low_inputs = bit(0) | bit(1);
    c.low_outputs = bit(0);
    check(c);
  }
}

}  // namespace
}  // namespace anneal
