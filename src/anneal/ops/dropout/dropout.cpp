#include "anneal/ops/dropout/dropout.hpp"

#include "anneal/base/rng.hpp"

namespace anneal {
namespace {

std::vector<TensorType> infer(const OpCall& call) {
  ANNEAL_ASSERT(call.input(0).shape.rank() >= 1 && call.input(1) == (TensorType{DType::i64, {}}),
                "dropout of ", call.input(0), " from sample ", call.input(1));
  return {{call.input(0).dtype, call.input(0).shape}};
}

void reference(const OpCall& call, std::span<const RefTensor* const> in, std::span<RefTensor> out) {
  const auto& a = call.attrs.as<DropoutAttrs>();
  const Shape& shape = call.input(0).shape;
  int64_t inner = shape.elements() / shape[0];
  auto first = static_cast<int64_t>(in[1]->data[0]);
  for (int64_t e = 0; e < shape.elements(); ++e) {
    int64_t within = e % inner;
    auto words =
        philox(a.key, static_cast<uint64_t>(within / 4), static_cast<uint64_t>(first + e / inner));
    bool keep = static_cast<double>(uniform_float(words[static_cast<size_t>(within % 4)])) >= a.p;
    auto i = static_cast<size_t>(e);
    out[0].data[i] = keep ? in[0]->data[i] / (1 - a.p) : 0;
  }
}

std::vector<Value> vjp(const VjpContext& c) {
  return {c.b.emit1(dropout_op(), {c.grads[0], c.inputs[1]}, c.call.attrs)};
}

constexpr Alias in_place[] = {{.output = 0, .input = 0}};

}  // namespace

const OpDef& dropout_op() {
  static const OpDef op = {.name = "dropout",
                           .min_inputs = 2,
                           .max_inputs = 2,
                           .infer = infer,
                           .reference = reference,
                           .vjp = vjp,
                           .low_accept = bit(0),
                           .low_outputs = bit(0),
                           .low_follows = true,
                           .may_alias = in_place};
  return op;
}

Value dropout(Builder& b, Value x, Value first_sample, double p, uint64_t key) {
  if (p == 0) return x;
  ANNEAL_ASSERT(p > 0 && p < 1, "dropout with p = ", p);
  return b.emit1(dropout_op(), {x, first_sample}, Attrs::of(DropoutAttrs{p, key}));
}

}  // namespace anneal
