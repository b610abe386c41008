#pragma once

#include <vector>

#include "anneal/ir/builder.hpp"
#include "anneal/ops/rope/scaling.hpp"

namespace anneal {

struct RopeAttrs {
  int64_t heads = 1;     // H
  int64_t kv_heads = 1;  // Hkv
  int64_t head_dim = 2;  // D
  int64_t rotated = 0;   // R, columns of a head that turn, even; 0: all
  double theta = 10000;
  bool inverse = false;  // rotates back: the transpose, and so the gradient
  RopeScaling scaling;
  int64_t turned() const { return rotated ? rotated : head_dim; }
  bool operator==(const RopeAttrs&) const = default;
  void print(std::ostream& out) const {
    out << "heads=" << heads << " kv_heads=" << kv_heads << " head_dim=" << head_dim
        << " theta=" << theta << (inverse ? " inverse" : "");
    if (rotated) out << " rotated=" << rotated;
    if (scaling.factor != 1)
      out << " factor=" << scaling.factor << " turns=" << scaling.low << ":" << scaling.high << "/"
          << scaling.original_context;
  }
};

// Rotary position embedding (Su et al. 2021) of packed queries, keys and values, in the pairing of
// Hugging Face's rotate_half: in each of the H query and Hkv key heads the pair of columns
// (i, i + R/2) of a row at position p turns by the angle p·theta^(−2i/R), slowed down by `scaling`;
// the columns from R on and values are copied. R is D but in models that turn a part of each head
// (GPT-NeoX). Angles are taken in FP64, so they are accurate at any position.
// Inputs: x [B,T,(H+2·Hkv)·D]; positions i32 [B,T]. Output: x's type. In place if wanted.
const OpDef& rope_op();
// The angles of position 1: R/2 of them.
std::vector<double> rope_frequencies(const RopeAttrs& attrs);
Value rope(Builder& b, Value x, Value positions, const RopeAttrs& attrs);

}  // namespace anneal
