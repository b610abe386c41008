#pragma once

#include "anneal/ir/builder.hpp"

namespace anneal {

// How the columns of a packed row [H·(2F + D)] are laid out: H query heads of F columns, H key
// heads of F, then H value heads of D.
struct LinearAttentionAttrs {
  int64_t heads = 1;        // H
  int64_t feature_dim = 1;  // F, of queries and keys
  int64_t head_dim = 1;     // D, of values
  double scale = 1;         // of the products of queries and keys; 1/sqrt(F) in Based
  bool operator==(const LinearAttentionAttrs&) const = default;
  void print(std::ostream& out) const {
    out << "heads=" << heads << " feature_dim=" << feature_dim << " head_dim=" << head_dim
        << " scale=" << scale;
  }
  int64_t packed_columns() const { return heads * (2 * feature_dim + head_dim); }

  // The weight of a key is φ(q)·φ(k) of E features each, so that sums over keys have a fixed size:
  // φ(k) = (k_i; k_i·k_j for i <= j; 1), in the order of i, then j; and φ(q), q times the scale,
  // is the same with q_i² / 2 in place of squares.
  int64_t features() const { return feature_dim + feature_dim * (feature_dim + 1) / 2 + 1; }
  // What is left of the keys so far, [H, E, P]: row e of a head holds Σ φ(k)_e·v in D columns, then
  // Σ φ(k)_e, then zeros up to P, a multiple of 16.
  Shape state_shape() const { return {heads, features(), (head_dim + 16) / 16 * 16}; }
};

// Causal linear attention by the second-order Taylor expansion of exp (Arora et al., "Simple linear
// attention language models balance the recall-throughput tradeoff", 2024). For query t of every
// head:
//   out = Σ_{s≤t} w_ts·v_s / Σ_{s≤t} w_ts,  w_ts = 1 + x + x²/2,  x = scale·q_t·k_s
// w is at least 1/2, so that the denominator needs no guard. Computed chunk by chunk: within a
// chunk from the products q·k, before it from a state whose size does not depend on T.
//
// Input: qkv [B,T,H·(2F+D)]. Outputs: out [B,T,H·D]; norm f32 [B,H,T], the denominators, which the
// gradient needs. A gradient may flow into out only.
const OpDef& linear_attention_op();
Value linear_attention(Builder& b, Value qkv, const LinearAttentionAttrs& attrs);

// Gradient of linear_attention, with its attributes. Inputs: dout [B,T,H·D], qkv, out, norm.
// Output: dqkv [B,T,H·(2F+D)].
const OpDef& linear_attention_grad_op();

}  // namespace anneal
