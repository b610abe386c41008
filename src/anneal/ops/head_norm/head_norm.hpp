#pragma once

#include "anneal/ir/builder.hpp"

namespace anneal {

struct HeadNormAttrs {
  int64_t heads = 1;     // H
  int64_t kv_heads = 1;  // Hkv
  int64_t head_dim = 1;  // D
  double eps = 1e-6;
  bool operator==(const HeadNormAttrs&) const = default;
  void print(std::ostream& out) const {
    out << "heads=" << heads << " kv_heads=" << kv_heads << " head_dim=" << head_dim
        << " eps=" << eps;
  }
};

// RMSNorm of each head of packed queries and keys by itself (Qwen3's "QK norm"; Henry et al. 2020):
// with x the D columns of one of the H query or Hkv key heads of a row,
//   y = x·rstd·gain,  rstd = 1/sqrt(mean(x²) + eps)
// where all query heads share one gain and all key heads another; values are copied.
// Inputs: x [B,T,(H+2·Hkv)·D]; the gains of queries and of keys, f32 [D]. Outputs: y, of x's shape;
// rstd [B,T,H+Hkv], which the gradient needs. A gradient may flow into y only.
const OpDef& head_norm_op();
Value head_norm(Builder& b, Value x, Value q_gain, Value k_gain, const HeadNormAttrs& attrs);

// Gradient of head_norm, with its attributes. Inputs: dy and x [B,T,(H+2·Hkv)·D], q_gain [D],
// k_gain [D], rstd [B,T,H+Hkv], and optionally what dq_gain and dk_gain start from. Outputs: dx, of
// x's shape; dq_gain [D], dk_gain [D].
const OpDef& head_norm_grad_op();

}  // namespace anneal
