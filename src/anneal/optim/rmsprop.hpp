#pragma once

#include "anneal/optim/optimizer.hpp"

namespace anneal {

// RMSprop (Hinton, "Neural Networks for Machine Learning", lecture 6e, 2012) with L2
// regularisation; centred: the variance instead of the mean square (Graves, arXiv:1308.0850).
// Arithmetic as in torch.optim.RMSprop:
//
//   g = g + λ·p      v = α·v + (1−α)·g²      centred: a = α·a + (1−α)·g, v − a² for v below
//   u = g / (√v + ε), with momentum: u = μ·u + g / (√v + ε)      p = p − lr·u
extern const Optimizer rmsprop;

}  // namespace anneal
