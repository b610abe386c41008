#pragma once

#include <cstdint>
#include <vector>

#include "anneal/base/dtype.hpp"
#include "anneal/base/rng.hpp"

namespace anneal {

// Numbers in [-1, 1), a function of the key.
inline std::vector<float> random_floats(int64_t n, uint64_t key) {
  std::vector<float> x(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i)
    x[static_cast<size_t>(i)] = 2 * uniform_float(philox(key, static_cast<uint64_t>(i), 0)[0]) - 1;
  return x;
}

inline std::vector<bf16> narrowed(const std::vector<float>& x) {
  std::vector<bf16> y;
  for (float value : x) y.emplace_back(value);
  return y;
}

}  // namespace anneal
