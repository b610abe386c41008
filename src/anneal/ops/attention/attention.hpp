#pragma once

#include <limits>

#include "anneal/ir/builder.hpp"

namespace anneal {

// How the columns of a packed row [(H + 2·Hkv)·D] are laid out: H query heads, then Hkv key heads,
// then Hkv value heads, D columns each. Query head h reads key and value head h / (H / Hkv).
struct AttentionAttrs {
  int64_t heads = 1;     // H
  int64_t kv_heads = 1;  // Hkv, which divides H
  int64_t head_dim = 1;  // D
  double scale = 1;      // of the scores; 1/sqrt(D) in most models
  double dropout = 0;    // probability that a weight becomes zero, in [0, 1)
  uint64_t key = 0;      // names the random stream of dropout
  int64_t window = 0;    // keys that a query sees at most, its own among them; 0: all before it
  bool operator==(const AttentionAttrs&) const = default;
  void print(std::ostream& out) const {
    out << "heads=" << heads << " kv_heads=" << kv_heads << " head_dim=" << head_dim
        << " scale=" << scale;
    if (dropout > 0) out << " dropout=" << dropout << " key=" << key;
    if (window > 0) out << " window=" << window;
  }
  int64_t group() const { return heads / kv_heads; }
  int64_t packed_columns() const { return (heads + 2 * kv_heads) * head_dim; }
  // Keys before its own that a query sees at most.
  int64_t reach() const { return window > 0 ? window - 1 : std::numeric_limits<int64_t>::max(); }
};

// Causal attention with grouped queries (Vaswani et al. 2017; Ainslie et al. 2023). For query t of
// every head: out = Σ_{s≤t} softmax_s(scale·q_t·k_s)·v_s. Computed tile by tile with a running
// maximum (Dao et al., "FlashAttention", 2022): no buffer has two context-length dimensions.
// With dropout, weight softmax_s of sample first_sample + b, head h, query t is multiplied by 0 or
// 1/(1 − dropout): it is element (h·T + t)·T' + s of the stream, T' being T rounded up to a
// multiple of 4, kept or not as ops/dropout states. The denominator counts all weights.
//
// A query may see less than all keys s ≤ t: the last `window` of them (Beltagy et al.,
// "Longformer", 2020), and only those of its own document if `positions` are given, which count the
// tokens of a document from 0: s ≥ t − positions_t. Tiles that no query sees are passed over.
//
// Inputs: qkv [B,T,(H+2·Hkv)·D]; first_sample, an i64 scalar, with dropout; positions, if wanted,
// i32 [B,T], not negative and at most one more than their predecessor. Outputs: out [B,T,H·D]; lse
// f32 [B,H,T], the log of each softmax's denominator, which the gradient needs. A gradient may flow
// into out only.
const OpDef& attention_op();
Value attention(Builder& b, Value qkv, const AttentionAttrs& attrs, Value first_sample = {},
                Value positions = {});

// Gradient of attention, with the same attributes. Inputs: dout [B,T,H·D], qkv, out, lse;
// first_sample and positions where attention has them. Output: dqkv [B,T,(H+2·Hkv)·D].
const OpDef& attention_grad_op();

}  // namespace anneal
