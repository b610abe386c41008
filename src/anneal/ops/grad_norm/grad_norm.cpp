#include "anneal/ops/grad_norm/grad_norm.hpp"

#include <cmath>

namespace anneal {
namespace {

std::vector<TensorType> infer_sum(const OpCall& call) {
  ANNEAL_ASSERT(call.input(0).dtype == DType::f32, "sum_squares takes f32, got ", call.input(0));
  return {{DType::f64, {}}};
}

void reference_sum(const OpCall&, std::span<const RefTensor* const> in, std::span<RefTensor> out) {
  for (double x : in[0]->data) out[0].data[0] += x * x;
}

Cost cost_sum(const OpCall& call) {
  return {2 * static_cast<double>(call.input(0).shape.elements()),
          static_cast<double>(call.input(0).bytes())};
}

std::vector<TensorType> infer_norm(const OpCall& call) {
  const TensorType expected{DType::f64, {}};
  for (size_t i = 0; i < call.in.size(); ++i)
    ANNEAL_ASSERT(call.input(i) == expected, "input ", i, " of grad_norm is ", expected, ", got ",
                  call.input(i));
  return {{DType::f32, {}}};
}

void reference_norm(const OpCall&, std::span<const RefTensor* const> in, std::span<RefTensor> out) {
  double sum = 0;
  for (const auto* x : in) sum += x->data[0];
  out[0].data[0] = std::sqrt(sum);
}

}  // namespace

const OpDef& sum_squares_op() {
  static const OpDef op = {.name = "sum_squares",
                           .min_inputs = 1,
                           .max_inputs = 1,
                           .infer = infer_sum,
                           .reference = reference_sum,
                           .cost = cost_sum};
  return op;
}

const OpDef& grad_norm_op() {
  static const OpDef op = {.name = "grad_norm",
                           .min_inputs = 1,
                           .max_inputs = 1 << 16,
                           .infer = infer_norm,
                           .reference = reference_norm};
  return op;
}

Value sum_squares(Builder& b, Value x) { return b.emit1(sum_squares_op(), {x}); }

Value grad_norm(Builder& b, std::span<const Value> sums) {
  return b.emit1(grad_norm_op(), {sums.begin(), sums.end()});
}

Value norm(Builder& b, Value x) {
  Value sum = sum_squares(b, x);
  return grad_norm(b, {&sum, 1});
}

}  // namespace anneal
