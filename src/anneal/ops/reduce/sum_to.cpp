#include "anneal/ops/reduce/sum_to.hpp"

#include "anneal/ops/elementwise/broadcast.hpp"

namespace anneal {
namespace {

std::vector<TensorType> infer_sum(const OpCall& call) {
  const Shape& shape = call.attrs.as<SumToAttrs>().shape;
  broadcast_of(shape, call.input(0).shape);
  return {{DType::f32, shape}};
}

void reference_sum(const OpCall& call, std::span<const RefTensor* const> in,
                   std::span<RefTensor> out) {
  Broadcast form = broadcast_of(call.attrs.as<SumToAttrs>().shape, in[0]->shape);
  for (size_t e = 0; e < in[0]->data.size(); ++e)
    out[0].data[static_cast<size_t>(form.index(static_cast<int64_t>(e)))] += in[0]->data[e];
  if (call.has(1)) out[0].add(*in[1]);
}

std::vector<Value> vjp_sum(const VjpContext& c) {
  return {broadcast_to(c.b, c.grads[0], c.call.input(0).shape)};
}

Cost cost_sum(const OpCall& call) {
  return {static_cast<double>(call.input(0).shape.elements()),
          static_cast<double>(call.input(0).bytes() + call.out[0].bytes())};
}

std::vector<TensorType> infer_broadcast(const OpCall& call) {
  const Shape& shape = call.attrs.as<BroadcastAttrs>().shape;
  broadcast_of(call.input(0).shape, shape);
  return {{call.input(0).dtype, shape}};
}

void reference_broadcast(const OpCall& call, std::span<const RefTensor* const> in,
                         std::span<RefTensor> out) {
  Broadcast form = broadcast_of(in[0]->shape, call.out[0].shape);
  for (size_t e = 0; e < out[0].data.size(); ++e)
    out[0].data[e] = in[0]->data[static_cast<size_t>(form.index(static_cast<int64_t>(e)))];
}

std::vector<Value> vjp_broadcast(const VjpContext& c) {
  return {sum_to(c.b, c.grads[0], c.call.input(0).shape)};
}

constexpr AccumulateInto accumulate[] = {{.output = 0, .input = 1}};

}  // namespace

const OpDef& sum_to_op() {
  static const OpDef op = {.name = "sum_to",
                           .min_inputs = 1,
                           .max_inputs = 2,
                           .infer = infer_sum,
                           .reference = reference_sum,
                           .vjp = vjp_sum,
                           .cost = cost_sum,
                           .low_accept = bit(0),
                           .accumulate = accumulate};
  return op;
}

const OpDef& broadcast_op() {
  static const OpDef op = {.name = "broadcast_to",
                           .min_inputs = 1,
                           .max_inputs = 1,
                           .infer = infer_broadcast,
                           .reference = reference_broadcast,
                           .vjp = vjp_broadcast,
                           .low_accept = bit(0),
                           .low_outputs = bit(0),
                           .low_follows = true};
  return op;
}

Value sum_to(Builder& b, Value x, const Shape& shape) {
  if (b.shape(x) == shape) return x;
  return b.emit1(sum_to_op(), {x}, Attrs::of(SumToAttrs{shape}));
}

Value broadcast_to(Builder& b, Value x, const Shape& shape) {
  if (b.shape(x) == shape) return x;
  return b.emit1(broadcast_op(), {x}, Attrs::of(BroadcastAttrs{shape}));
}

}  // namespace anneal
