#include "anneal/ops/swiglu/swiglu.hpp"

#include <cmath>

namespace anneal {
namespace {

void expect_float(const OpCall& call, size_t i) {
  ANNEAL_ASSERT(is_f32_or_low(call.input(i).dtype), "swiglu takes f32, bf16 and f16, got ",
                call.input(i));
}

std::vector<TensorType> infer(const OpCall& call) {
  const auto& gate_up = call.input(0);
  expect_float(call, 0);
  ANNEAL_ASSERT(gate_up.shape.rank() > 0 && gate_up.shape[-1] % 2 == 0,
                "swiglu splits the last dimension in two, got ", gate_up);
  return {{gate_up.dtype, gate_up.shape.with_last(gate_up.shape[-1] / 2)}};
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

void reference(const OpCall& call, std::span<const RefTensor* const> in, std::span<RefTensor> out) {
  auto f = static_cast<size_t>(call.out[0].shape.row_length());
  for (size_t e = 0; e < out[0].data.size(); ++e) {
    const double* gate = &in[0]->data[e / f * 2 * f + e % f];
    out[0].data[e] = gate[0] * sigmoid(gate[0]) * gate[f];
  }
}

std::vector<Value> vjp(const VjpContext& c) {
  return {c.b.emit1(swiglu_grad_op(), {c.grads[0], c.inputs[0]})};
}

std::vector<TensorType> infer_grad(const OpCall& call) {
  const auto &dy = call.input(0), &gate_up = call.input(1);
  expect_float(call, 0);
  expect_float(call, 1);
  ANNEAL_ASSERT(dy.shape.rank() > 0 && gate_up.shape == dy.shape.with_last(2 * dy.shape[-1]),
                "swiglu_grad takes dy [..., F] and gate_up [..., 2F], got ", dy, " and ", gate_up);
  return {{dy.dtype == gate_up.dtype ? dy.dtype : DType::f32, gate_up.shape}};
}

void reference_grad(const OpCall& call, std::span<const RefTensor* const> in,
                    std::span<RefTensor> out) {
  auto f = static_cast<size_t>(call.input(0).shape.row_length());
  for (size_t e = 0; e < in[0]->data.size(); ++e) {
    size_t at = e / f * 2 * f + e % f;
    double dy = in[0]->data[e], gate = in[1]->data[at], up = in[1]->data[at + f];
    double s = sigmoid(gate);
    out[0].data[at] = dy * up * s * (1 + gate * (1 - s));
    out[0].data[at + f] = dy * gate * s;
  }
}

Cost cost_of_elements(const OpCall& call, double flops_an_element, const Shape& shape) {
  Cost cost{.flops = flops_an_element * static_cast<double>(shape.elements())};
  for (const auto& type : call.in) cost.bytes += static_cast<double>(type->bytes());
  cost.bytes += static_cast<double>(call.out[0].bytes());
  return cost;
}
Cost cost(const OpCall& call) { return cost_of_elements(call, 5, call.out[0].shape); }
Cost cost_grad(const OpCall& call) { return cost_of_elements(call, 10, call.input(0).shape); }

constexpr Alias grad_may_alias[] = {{.output = 0, .input = 1}};

}  // namespace

const OpDef& swiglu_op() {
  static const OpDef op = {.name = "swiglu",
                           .min_inputs = 1,
                           .max_inputs = 1,
                           .infer = infer,
                           .reference = reference,
                           .vjp = vjp,
                           .cost = cost,
                           .low_accept = all_bits,
                           .low_outputs = bit(0),
                           .low_follows = true};
  return op;
}

const OpDef& swiglu_grad_op() {
  static const OpDef op = {.name = "swiglu_grad",
                           .min_inputs = 2,
                           .max_inputs = 2,
                           .infer = infer_grad,
                           .reference = reference_grad,
                           .cost = cost_grad,
                           .low_accept = all_bits,
                           .low_outputs = bit(0),
                           .low_follows = true,
                           .may_alias = grad_may_alias};
  return op;
}

Value swiglu(Builder& b, Value gate_up) { return b.emit1(swiglu_op(), {gate_up}); }

}  // namespace anneal
