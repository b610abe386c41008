#pragma once

#include "anneal/ir/builder.hpp"

namespace anneal {

// Row `row` of every sequence, such as the last token of a prefill chunk. Inputs: x [B,T,C]; row,
// an i32 scalar in [0, T). Output: [B,1,C] of x's dtype. No gradient.
const OpDef& take_row_op();
Value take_row(Builder& b, Value x, Value row);

}  // namespace anneal
