#include <gtest/gtest.h>

#include "anneal/ir/builder.hpp"
#include "anneal/ir/verify.hpp"

namespace anneal {
namespace {

std::vector<TensorType> infer_vector(const OpCall& call) {
  ANNEAL_ASSERT(call.input(0).shape.rank() == 1, "takes a vector");
  return {call.input(0)};
}

const OpDef& vector_op() {
  static const OpDef op = {
      .name = "vector_op", .min_inputs = 1, .max_inputs = 1, .infer = infer_vector};
  return op;
}

std::string here(int line) { return str("(anneal/ir/location_test.cpp:", line, ")"); }

template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const InternalError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(NodeLocation, IsWhereTheInnermostScopeWasOpened) {
  Program program;
  int built = __LINE__ + 1;
  Builder b(program);
  Value x = b.input("x", DType::f32, {4});
  b.emit1(vector_op(), {x});
  {
    ScopeGuard outer(b, "h.0");
    int inner_line = __LINE__ + 2;
    {
      ScopeGuard inner(b, "attn");
      b.emit1(vector_op(), {x});
    }
    b.emit1(vector_op(), {x});
    EXPECT_EQ(program.node(1).describe(), "vector_op in 'h.0.attn' " + here(inner_line));
    EXPECT_EQ(program.node(2).describe(), "vector_op in 'h.0' " + here(inner_line - 3));
  }
  b.emit1(vector_op(), {x});
  EXPECT_EQ(program.node(0).describe(), "vector_op in '' " + here(built));
  EXPECT_EQ(program.node(3).describe(), "vector_op in '' " + here(built));
}

TEST(NodeLocation, IsNamedWhereAnOpRefusesItsInputs) {
  Program program;
  Builder b(program);
  Value matrix = b.input("x", DType::f32, {4, 4});
  int line = __LINE__ + 1;
  ScopeGuard scope(b, "mlp");
  std::string message = message_of([&] { b.emit1(vector_op(), {matrix}); });
  EXPECT_TRUE(message.starts_with("vector_op in 'mlp' " + here(line))) << message;
  EXPECT_NE(message.find("takes a vector"), std::string::npos) << message;
}

TEST(NodeLocation, IsNamedByTheVerifier) {
  Program program;
  Builder b(program);
  Value x = b.input("x", DType::f32, {4});
  int line = __LINE__ + 1;
  ScopeGuard scope(b, "mlp");
  Value y = b.emit1(vector_op(), {x});
  program.info(y).type.shape = {5};
  std::string message = message_of([&] { verify(program, nullptr, "after a test"); });
  EXPECT_NE(message.find("after a test: vector_op in 'mlp' " + here(line)), std::string::npos)
      << message;
}

}  // namespace
}  // namespace anneal
