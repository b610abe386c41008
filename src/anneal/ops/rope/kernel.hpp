#pragma once

#include <cstdint>

#include "anneal/device/cpu/per_low.hpp"

namespace anneal {

// Turns `heads` consecutive heads of one row: pairs (i, i + half) by the angles whose cosines and
// sines are given, while the `still` columns behind them are copied; then copies `rest` elements
// that follow. In place if from == to.
struct RopeKernels {
  // Cosines and sines of position·frequency[i], i < half.
  void (*turns)(double position, const double* frequency, int64_t half, float* cosine, float* sine);
  using Turn = void(const void* from, void* to, const float* cosine, const float* sine,
                    int64_t heads, int64_t half, int64_t still, int64_t rest);
  Turn* turn[2][2];  // [from is low][to is low]
};

namespace portable {
extern const PerLow<RopeKernels> rope_kernels;
}
namespace avx2 {
extern const PerLow<RopeKernels> rope_kernels;
}
namespace avx512 {
extern const PerLow<RopeKernels> rope_kernels;
}

}  // namespace anneal
