#include "anneal/ops/embedding/embedding.hpp"

#include <gtest/gtest.h>

#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

using testing::OpCase;

void fill_ids(RefTensor& t, int64_t vocab) {
  for (size_t i = 0; i < t.data.size(); ++i)
    t.data[i] = static_cast<double>((i * 7 + i * i) % static_cast<size_t>(vocab));
  t.data[t.data.size() / 2] = -1;
}

TEST(Embedding, LooksUpRows) {
  for (Shape table : {Shape{11, 7}, Shape{300, 129}}) {
    OpCase c{.name = str("embedding ", table),
             .op = &embedding_op(),
             .in = {TensorType{DType::f32, table}, TensorType{DType::i32, {3, 65}}}};
    c.fill = [&](int i, RefTensor& t) {
      if (i == 1) fill_ids(t, table[0]);
    };
    check(c);
  }
}

TEST(Embedding, GradientAddsRepeatedIdsInOrder) {
  for (bool accumulate : {false, true}) {
    OpCase c{.name = str("embedding_grad ", accumulate),
             .op = &embedding_grad_op(),
             .attrs = Attrs::of(EmbeddingGradAttrs{13}),
             .in = {TensorType{DType::i32, {3, 65}}, TensorType{DType::f32, {3, 65, 70}}}};
    if (accumulate) c.in.push_back(TensorType{DType::f32, {13, 70}});
    c.fill = [&](int i, RefTensor& t) {
      if (i == 0) fill_ids(t, 13);
    };
    c.low_inputs = bit(1);
    c.gradient = false;
    check(c);
  }
}

}  // namespace
}  // namespace anneal
