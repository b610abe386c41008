#pragma once

#include "anneal/ops/attention/attention.hpp"

namespace anneal {

// Attention of T new tokens over all tokens so far, for generation. Inputs: qkv [1,T,(H+2·Hkv)·D];
// k_cache and v_cache [Hkv,ctx,D], f32, bf16 or f16; start, an i32 scalar >= 0: tokens already in
// the caches. The new rows of k and v go to rows start … start+T−1 of the caches, then query t
// attends over rows 0 … start+t, the last `window` of them if the attributes have one. Outputs: out
// [1,T,H·D], and both caches, in place. Rows from start+T on are neither read nor written; tokens
// that would lie beyond ctx are not stored, and their outputs (finite) mean nothing. No gradient.
const OpDef& attention_cached_op();

struct CachedAttention {
  Value out;
  Value k_cache;
  Value v_cache;
};
CachedAttention attention_cached(Builder& b, Value qkv, Value k_cache, Value v_cache, Value start,
                                 const AttentionAttrs& attrs);

}  // namespace anneal
