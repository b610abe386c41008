#include "anneal/ops/embedding/embedding.hpp"

namespace anneal {
namespace {

std::vector<TensorType> infer(const OpCall& call) {
  const Shape &table = call.input(0).shape, &ids = call.input(1).shape;
  ANNEAL_ASSERT(table.rank() == 2 && ids.rank() == 2 && call.input(1).dtype == DType::i32,
                "embedding of ", call.input(1), " in ", call.input(0));
  return {{DType::f32, {ids[0], ids[1], table[1]}}};
}

void reference(const OpCall& call, std::span<const RefTensor* const> in, std::span<RefTensor> out) {
  auto width = static_cast<size_t>(call.input(0).shape[1]);
  for (size_t i = 0; i < in[1]->data.size(); ++i) {
    if (in[1]->data[i] < 0) continue;
    auto row = static_cast<size_t>(in[1]->data[i]);
    for (size_t c = 0; c < width; ++c) out[0].data[i * width + c] = in[0]->data[row * width + c];
  }
}

std::vector<Value> vjp(const VjpContext& c) {
  if (!c.needs(0)) return {};
  return {c.b.emit1(embedding_grad_op(), {c.inputs[1], c.grads[0]},
                    Attrs::of(EmbeddingGradAttrs{c.call.input(0).shape[0]}))};
}

std::vector<TensorType> infer_grad(const OpCall& call) {
  const Shape& dy = call.input(1).shape;
  ANNEAL_ASSERT(call.input(0).shape.elements() == dy.rows(), "embedding_grad of ", call.input(0),
                " and ", call.input(1));
  return {{DType::f32, {call.attrs.as<EmbeddingGradAttrs>().vocab, dy[-1]}}};
}

void reference_grad(const OpCall& call, std::span<const RefTensor* const> in,
                    std::span<RefTensor> out) {
  auto width = static_cast<size_t>(call.input(1).shape[-1]);
  for (size_t i = 0; i < in[0]->data.size(); ++i) {
    if (in[0]->data[i] < 0) continue;
    auto row = static_cast<size_t>(in[0]->data[i]);
    for (size_t c = 0; c < width; ++c) out[0].data[row * width + c] += in[1]->data[i * width + c];
  }
  if (call.has(2)) out[0].add(*in[2]);
}

// Only the rows that are looked up are read.
Cost cost(const OpCall& call) {
  return {0, static_cast<double>(2 * call.out[0].bytes() + call.input(1).bytes())};
}

Cost cost_grad(const OpCall& call) {
  double rows = static_cast<double>(call.input(1).bytes());
  double table = call.has(2) ? 0 : static_cast<double>(call.out[0].bytes());
  return {static_cast<double>(call.input(1).shape.elements()), 3 * rows + table};
}

constexpr AccumulateInto accumulate[] = {{.output = 0, .input = 2}};

}  // namespace

const OpDef& embedding_op() {
  static const OpDef op = {.name = "embedding",
                           .min_inputs = 2,
                           .max_inputs = 2,
                           .infer = infer,
                           .reference = reference,
                           .vjp = vjp,
                           .cost = cost};
  return op;
}

const OpDef& embedding_grad_op() {
  static const OpDef op = {.name = "embedding_grad",
                           .min_inputs = 2,
                           .max_inputs = 3,
                           .infer = infer_grad,
                           .reference = reference_grad,
                           .cost = cost_grad,
                           .low_accept = bit(1),
                           .accumulate = accumulate};
  return op;
}

Value embedding(Builder& b, Value table, Value ids) {
  return b.emit1(embedding_op(), {table, ids});
}

}  // namespace anneal
