#pragma once

#include "anneal/ir/builder.hpp"

namespace anneal {

struct LayernormAttrs {
  double eps = 1e-5;
  bool operator==(const LayernormAttrs&) const = default;
  void print(std::ostream& out) const { out << "eps=" << eps; }
};

// Layer normalisation over the last dimension (Ba, Kiros and Hinton 2016):
//   y = (x − mean)·rstd·gain + bias,  rstd = 1/sqrt(var + eps),  var = mean((x − mean)²)
// Inputs: x [..., C], gain [C], bias [C]; optionally what is added to x first, both f32 [..., C]
// then. Outputs: y [..., C]; mean and rstd [..., 1], which the gradient needs; the sum where there
// is one. A gradient may flow into y only, and where there is no sum.
const OpDef& layernorm_op();
Value layernorm(Builder& b, Value x, Value gain, Value bias, double eps = 1e-5);

// Gradient of layernorm. Inputs: dy [..., C], x [..., C], gain [C], mean [..., 1], rstd [..., 1],
// and optionally what dx, dgain and dbias start from. Outputs, all f32: dx [..., C], dgain [C],
// dbias [C].
const OpDef& layernorm_grad_op();

}  // namespace anneal
