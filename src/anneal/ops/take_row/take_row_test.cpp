#include "anneal/ops/take_row/take_row.hpp"

#include <gtest/gtest.h>

#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

TEST(TakeRow, FirstMiddleAndLast) {
  for (int row : {0, 2, 4}) {
    testing::OpCase c{.name = str("take_row ", row),
                      .op = &take_row_op(),
                      .in = {TensorType{DType::f32, {2, 5, 33}}, TensorType{DType::i32, {}}}};
    c.fill = [&](int i, RefTensor& t) {
      if (i == 1) t.data[0] = row;
    };
    c.low_inputs = bit(0);
    c.gradient = false;
    check(c);
  }
}

}  // namespace
}  // namespace anneal
