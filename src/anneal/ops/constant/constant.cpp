#include "anneal/ops/constant/constant.hpp"

namespace anneal {
namespace {

std::vector<TensorType> infer(const OpCall& call) {
  const auto& attrs = call.attrs.as<ConstantAttrs>();
  return {{attrs.dtype, attrs.shape}};
}

void reference(const OpCall& call, std::span<const RefTensor* const>, std::span<RefTensor> out) {
  for (double& x : out[0].data) x = call.attrs.as<ConstantAttrs>().value;
}

std::vector<Value> vjp(const VjpContext&) { return {}; }

}  // namespace

const OpDef& constant_op() {
  static const OpDef op = {.name = "constant",
                           .min_inputs = 0,
                           .max_inputs = 0,
                           .infer = infer,
                           .reference = reference,
                           .vjp = vjp};
  return op;
}

Value constant(Builder& b, double value, const Shape& shape, DType dtype) {
  return b.emit1(constant_op(), {}, Attrs::of(ConstantAttrs{value, shape, dtype}));
}

}  // namespace anneal
