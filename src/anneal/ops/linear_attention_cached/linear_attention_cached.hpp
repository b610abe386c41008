#pragma once

#include "anneal/ops/linear_attention/linear_attention.hpp"

namespace anneal {

// linear_attention of T new tokens over all tokens so far, for generation. Inputs: qkv
// [1,T,H·(2F+D)]; state f32 [H,E,P] (see LinearAttentionAttrs); start, an i32 scalar >= 0: tokens
// that the state holds. With start 0 it holds none, whatever lies in it. Outputs: out [1,T,H·D],
// and the state with the T tokens added, in place. The work for a token does not depend on start.
// No gradient.
const OpDef& linear_attention_cached_op();

struct CachedLinearAttention {
  Value out;
  Value state;
};
CachedLinearAttention linear_attention_cached(Builder& b, Value qkv, Value state, Value start,
                                              const LinearAttentionAttrs& attrs);

}  // namespace anneal
