#pragma once

#include <span>

#include "anneal/ir/builder.hpp"

namespace anneal {

// Sum of the squares of x (f32, any shape) as an f64 scalar: FP64 sums of blocks of
// `sum_squares_block` elements, added in block order. No gradient.
inline constexpr int64_t sum_squares_block = 65536;
const OpDef& sum_squares_op();
Value sum_squares(Builder& b, Value x);

// The norm of all gradients: sqrt of the sum, in order, of the f64 scalars that sum_squares made of
// each. f32 scalar. No gradient.
const OpDef& grad_norm_op();
Value grad_norm(Builder& b, std::span<const Value> sums);

// The 2-norm of x (f32, any shape), an f32 scalar. No gradient.
Value norm(Builder& b, Value x);

}  // namespace anneal
