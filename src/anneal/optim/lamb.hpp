#pragma once

#include "anneal/optim/optimizer.hpp"

namespace anneal {

// LAMB (You et al., "Large Batch Optimization for Deep Learning", arXiv:1904.00962, algorithm 2,
// with φ the identity): Adam's direction and decoupled decay, each tensor's step scaled by the norm
// of the tensor. m and v as in Adam.
//
//   u = m/(1−β1^t) / (√v/√(1−β2^t) + ε) + λ·p
//   p = p − lr · r · u,   r = ‖p‖/‖u‖, or 1 where either norm is 0
//
// Gains and biases do not decay; the parameters of norms are not scaled (r = 1). Decided by role.
extern const Optimizer lamb;

}  // namespace anneal
