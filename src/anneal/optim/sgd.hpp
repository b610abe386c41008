#pragma once

#include "anneal/optim/optimizer.hpp"

namespace anneal {

// Stochastic gradient descent with L2 regularisation, momentum, dampening and Nesterov's
// look-ahead; arithmetic as in torch.optim.SGD:
//
//   g = g + λ·p      u = μ·u + (1−d)·g, at first u = g
//   p = p − lr·u     (Nesterov: p − lr·(g + μ·u))
extern const Optimizer sgd;

}  // namespace anneal
