#pragma once

#include "anneal/ir/builder.hpp"

namespace anneal {

struct RmsnormAttrs {
  double eps = 1e-5;
  bool operator==(const RmsnormAttrs&) const = default;
  void print(std::ostream& out) const { out << "eps=" << eps; }
};

// Root-mean-square normalisation over the last dimension (Zhang and Sennrich 2019):
//   y = x·rstd·gain,  rstd = 1/sqrt(mean(x²) + eps)
// Inputs: x [..., C], gain [C]; optionally what is added to x first, both f32 [..., C] then.
// Outputs: y [..., C]; rstd [..., 1], which the gradient needs; the sum where there is one. A
// gradient may flow into y only, and where there is no sum.
const OpDef& rmsnorm_op();
Value rmsnorm(Builder& b, Value x, Value gain, double eps = 1e-5);

// Gradient of rmsnorm. Inputs: dy [..., C], x [..., C], gain [C], rstd [..., 1], and optionally
// what dx and dgain start from. Outputs, all f32: dx [..., C], dgain [C].
const OpDef& rmsnorm_grad_op();

}  // namespace anneal
