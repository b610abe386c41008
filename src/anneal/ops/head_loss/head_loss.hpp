#pragma once

#include <utility>

#include "anneal/ir/builder.hpp"

namespace anneal {

struct HeadLossAttrs {
  double label_smoothing = 0;  // ε, in [0, 1)
  double z_loss = 0;           // ζ, at least 0
  int64_t chunk_rows = 0;      // rows of logits alive at a time; 0: chosen from the shape
  bool operator==(const HeadLossAttrs&) const = default;
  void print(std::ostream& out) const {
    const char* gap = "";
    auto add = [&](const char* name, auto value) {
      if (value != 0) out << std::exchange(gap, " ") << name << '=' << value;
    };
    add("label_smoothing", label_smoothing);
    add("z_loss", z_loss);
    add("chunk_rows", chunk_rows);
  }
};

// Output head and cross-entropy in one op, so that all the logits never exist at once:
//   logits = x·weightᵀ,  lse = log Σ_v exp(logits[v])
//   loss(row) = (1 − ε)·(lse − logits[target]) + ε·(lse − mean_v logits[v]) + ζ·lse²
// With ε = ζ = 0 that is the negative log-likelihood of the target. ε mixes the target with the
// uniform distribution (label smoothing, Szegedy et al. 2016; as torch.nn.CrossEntropyLoss has it);
// ζ keeps lse near zero (z-loss, Chowdhery et al. 2022).
// Inputs: x [..., C]; weight [V,C]; targets i32, x's shape without C (−1: the row does not count);
// inv_valid, an f32 scalar: 1 over the number of rows that count in the whole batch, of which this
// call may see a part. Outputs, f32 scalars: loss = inv_valid · Σ loss(row) over the rows that
// count; and correct, how many of those have their target as arg-max (the lowest id at ties). A
// logit that is not finite in a row that counts makes the loss NaN, and so does a target that is
// not below V. A gradient may flow into the loss only, and from there into x and weight.
const OpDef& head_loss_op();

struct HeadLoss {
  Value loss;     // scalar
  Value correct;  // scalar
};
HeadLoss head_loss(Builder& b, Value x, Value weight, Value targets, Value inv_valid,
                   const HeadLossAttrs& attrs = {});

// Loss and gradient in one visit of the logits. Inputs: those of head_loss; dloss, an f32 scalar;
// and optionally what dweight starts from. Outputs: loss and correct, equal to those of head_loss;
// dx [..., C] and dweight [V,C] f32, the gradients of dloss·loss.
const OpDef& head_loss_grad_op();

// The same where the weight is frozen: without dweight, and without what it starts from.
const OpDef& head_loss_input_grad_op();

}  // namespace anneal
