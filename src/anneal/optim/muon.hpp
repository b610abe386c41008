#pragma once

#include "anneal/optim/optimizer.hpp"

namespace anneal {

// Muon (Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024): momentum
// whose matrix is replaced by the nearest semi-orthogonal one, so that an update turns all
// directions alike. Scaled so that an element's step is as large as AdamW's (Liu et al., "Muon is
// Scalable for LLM Training", arXiv:2502.16982), with decoupled decay, hence one lr for all:
//
//   m = μ·m + g      n = g + μ·m (Nesterov; else m)
//   p = p·(1 − lr·λ) − lr · 0.2·√max(rows, columns) · orthogonal(n)
//
// For matrices inside blocks, by role; AdamW, with its betas and eps, for all other parameters.
extern const Optimizer muon;

// The semi-orthogonal matrix near x [M,N], f32, up to singular values between about 0.7 and 1.2:
// five steps of X ← a·X + (b·A + c·A²)·X, A = X·Xᵀ, from x/‖x‖ (Jordan et al.'s quintic
// Newton-Schulz iteration).
Value orthogonalised(Builder& b, Value x);

}  // namespace anneal
