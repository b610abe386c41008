#include "anneal/ops/cast/cast.hpp"

namespace anneal {
namespace {

std::vector<TensorType> infer(const OpCall& call) {
  DType to = call.attrs.as<CastAttrs>().to;
  ANNEAL_ASSERT(is_f32_or_low(call.input(0).dtype) && is_f32_or_low(to),
                "casts are between f32, bf16 and f16, got ", call.input(0), " to ", name_of(to));
  return {{to, call.input(0).shape}};
}

void reference(const OpCall&, std::span<const RefTensor* const> in, std::span<RefTensor> out) {
  out[0].data = in[0]->data;
}

std::vector<Value> vjp(const VjpContext& c) {
  return {cast(c.b, c.grads[0], c.call.input(0).dtype)};
}

}  // namespace

const OpDef& cast_op() {
  static const OpDef op = {.name = "cast",
                           .min_inputs = 1,
                           .max_inputs = 1,
                           .infer = infer,
                           .reference = reference,
                           .vjp = vjp,
                           .low_accept = bit(0)};
  return op;
}

Value cast(Builder& b, Value x, DType to) {
  if (b.type(x).dtype == to) return x;
  return b.emit1(cast_op(), {x}, Attrs::of(CastAttrs{to}));
}

}  // namespace anneal
