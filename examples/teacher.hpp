#pragma once

#include <cmath>

#include "anneal/base/rng.hpp"

// The function that the regressions here learn, y = sin(3·x0) + x1·x2, of variance 0.63 over x
// uniform in [-1, 1)³: writes x of point `index` of a stream and returns y.
inline float teacher(uint64_t stream, uint64_t index, float* x) {
  auto random = anneal::philox(stream, index, 0);
  for (size_t i = 0; i < 3; ++i) x[i] = 2 * anneal::uniform_float(random[i]) - 1;
  return std::sin(3 * x[0]) + x[1] * x[2];
}
