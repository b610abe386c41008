#pragma once

#include "anneal/ir/builder.hpp"

namespace anneal {

// The gated unit of Llama's feed-forward block (Shazeer 2020): silu(gate)·up, silu(z) =
// z·sigmoid(z). gate_up [..., 2F] holds the gate in its first F columns and up in the other F; the
// result is [..., F].
const OpDef& swiglu_op();
Value swiglu(Builder& b, Value gate_up);

// Gradient of swiglu. Inputs: dy [..., F], gate_up [..., 2F]. Output: d_gate_up [..., 2F].
const OpDef& swiglu_grad_op();

}  // namespace anneal
