#pragma once

#include "anneal/ir/builder.hpp"

namespace anneal {

struct MatmulAttrs {
  bool trans_a = false;
  bool trans_b = false;
  bool operator==(const MatmulAttrs&) const = default;
  void print(std::ostream& out) const { out << (trans_a ? "aT " : "a ") << (trans_b ? "bT" : "b"); }
};

// The matrix product over the last dimension. Leading dimensions of an operand are rows:
//   a [..., K] · b [K, N] (or [N, K] with trans_b)  ->  [..., N]
//   a [..., M] · b [..., N] with trans_a            ->  [M, N], summed over all rows
// Optional third input: an f32 bias [N]. Optional fourth: an f32 tensor of the output's type that
// the product is added to, in place. Products of 16-bit floats accumulate in FP32.
const OpDef& matmul_op();

Value matmul(Builder& b, Value a, Value w, bool trans_a = false, bool trans_b = false,
             Value bias = {});

}  // namespace anneal
