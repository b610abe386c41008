#include "anneal/ops/collective/collective.hpp"

#include <gtest/gtest.h>

#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

TEST(Collective, IdentityOnOneRank) {
  for (const OpDef* op : {&all_reduce_op(), &all_gather_op(), &reduce_scatter_op()}) {
    EXPECT_TRUE(op->collective);
    for (const auto& shape : {Shape{1}, Shape{7, 65}, Shape{3, 129, 200}}) {
      testing::OpCase c{.name = str(op->name, shape),
                        .op = op,
                        .attrs = Attrs::of(CollectiveAttrs{"data", 0}),
                        .in = {TensorType{DType::f32, shape}},
                        .tolerance = 0};
      testing::check(c);
      c.gradient = false;
      for (DType low : low_dtypes) {
        c.in = {TensorType{low, shape}};
        testing::check(c);
      }
    }
  }
}

// The op that makes the gradient of `y = op(x)`, or null where dy is passed on as it is.
const OpDef* gradient_op(const OpDef& op) {
  Program program;
  Builder b(program);
  std::vector<Value> inputs{b.input("x", DType::f32, {4, 6})};
  auto outputs = b.emit(op, inputs, Attrs::of(CollectiveAttrs{"data", 1}));
  OpCall call = program.call(program.order.back());
  std::vector<Value> grads{b.input("dy", DType::f32, {4, 6})};
  std::vector<bool> needed{true};
  auto result = op.vjp({b, call, inputs, outputs, grads, needed});
  if (result[0] == grads[0]) return nullptr;
  const Node& node = program.node(program.order.back());
  EXPECT_EQ(node.attrs, Attrs::of(CollectiveAttrs{"data", 1}));
  return node.op;
}

TEST(Collective, GradientConventions) {
  EXPECT_EQ(gradient_op(all_reduce_op()), nullptr);
  EXPECT_EQ(gradient_op(all_gather_op()), &reduce_scatter_op());
  EXPECT_EQ(gradient_op(reduce_scatter_op()), &all_gather_op());
}

TEST(Collective, RefusesDimensionsThatAreNotThere) {
  Program program;
  Builder b(program);
  Value x = b.input("x", DType::f32, {4, 6});
  EXPECT_THROW(all_gather(b, x, "data", 2), InternalError);
  EXPECT_THROW(reduce_scatter(b, x, "data", -1), InternalError);
}

}  // namespace
}  // namespace anneal
