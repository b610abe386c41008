#pragma once

#include "anneal/ir/op_def.hpp"

namespace anneal {

// What the norms demand of their operands.
inline void expect_rows(const OpCall& call, size_t i, const Shape& shape) {
  const auto& type = call.input(i);
  ANNEAL_ASSERT(is_f32_or_low(type.dtype), "input ", i, " of a norm is f32, bf16 or f16, got ",
                type);
  ANNEAL_ASSERT(type.shape == shape && shape.rank() > 0, "input ", i, " of a norm is ", type,
                ", expected shape ", shape);
}
inline void expect_f32(const OpCall& call, size_t i, const Shape& shape) {
  TensorType expected{DType::f32, shape};
  ANNEAL_ASSERT(call.input(i) == expected, "input ", i, " of a norm is ", call.input(i),
                ", expected ", expected);
}

// The optional last input of a norm: x is f32 then, and the sum of both is the last output.
inline void add_sum_output(const OpCall& call, size_t addend, std::vector<TensorType>& outputs) {
  if (!call.has(addend)) return;
  expect_f32(call, 0, call.input(0).shape);
  expect_f32(call, addend, call.input(0).shape);
  outputs.push_back(call.input(0));
}

inline Cost norm_cost(const OpCall& call, const TensorType& x, double flops_an_element) {
  Cost cost{.flops = flops_an_element * static_cast<double>(x.shape.elements())};
  for (const auto& type : call.in)
    if (type) cost.bytes += static_cast<double>(type->bytes());
  for (const auto& type : call.out) cost.bytes += static_cast<double>(type.bytes());
  return cost;
}

}  // namespace anneal
