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

// m / (√v/√(1−β2^t) + ε) for the gradient g: Adam's direction, but for the factor 1/(1−β1^t). Keeps
// moments "m" and "v" and reads the scalar "inverse_root_bias2".
Value adam_direction(UpdateBuilder& u, const OptimizerConfig& c, Value g);

// What AdamW does, for optimizers that leave some parameters to it; reads the scalars "step_size",
// "inverse_root_bias2" and "decay_factor".
Value adamw_update(UpdateBuilder& u, const OptimizerConfig& c);
NamedScalars adamw_scalars(const OptimizerConfig& c, int64_t t, double lr);

}  // namespace anneal
