#pragma once

#include "anneal/optim/optimizer.hpp"

namespace anneal {

// Adam (Kingma and Ba, arXiv:1412.6980) with L2 regularisation added to the gradient, and AdamW
// (Loshchilov and Hutter, arXiv:1711.05101), which decays the parameter itself; arithmetic as in
// torch.optim. Decay applies by role, see decays().
//
//   m = β1·m + (1−β1)·g      v = β2·v + (1−β2)·g²
//   p = p − lr/(1−β1^t) · m / (√v/√(1−β2^t) + ε)
extern const Optimizer adam;
extern const Optimizer adamw;

}  // namespace anneal
