#pragma once

#include "anneal/ir/builder.hpp"

namespace anneal {

inline constexpr int64_t longest_short_conv = 16;

// Causal convolution over time, each column by itself (the short convolutions of Hyena, Poli et al.
// 2023, and of Based, Arora et al. 2024). With K taps, columns c < C of x:
//   y[b,t,c] = Σ_{k<K} filter[c,k]·x[b,t−K+1+k,c],  x being 0 before the sequence
// Columns from C on are copied, so that what the result gates can lie beside it.
// Inputs: x [B,T,W]; filter f32 [C,K], C <= W, K <= longest_short_conv. Output: y [B,T,W].
const OpDef& short_conv_op();
Value short_conv(Builder& b, Value x, Value filter);

// Gradient of short_conv. Inputs: dy [B,T,W], x [B,T,W], filter [C,K]. Outputs: dx [B,T,W], dfilter
// [C,K].
const OpDef& short_conv_grad_op();

}  // namespace anneal
