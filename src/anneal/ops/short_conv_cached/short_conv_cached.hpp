#pragma once

#include "anneal/ops/short_conv/short_conv.hpp"

namespace anneal {

// short_conv of T new tokens after those so far, for generation. Inputs: x [1,T,W]; filter f32
// [C,K]; history f32 [K−1,C], the last inputs of the convolved columns; start, an i32 scalar >= 0:
// tokens so far. With start 0 there are none, whatever lies in the history; else it is that of at
// least `start` tokens, zeros before them. Outputs: y [1,T,W], and the history after the T tokens,
// in place. No gradient.
const OpDef& short_conv_cached_op();

struct CachedShortConv {
  Value out;
  Value history;
};
CachedShortConv short_conv_cached(Builder& b, Value x, Value filter, Value history, Value start);

}  // namespace anneal
