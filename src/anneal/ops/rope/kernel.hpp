#pragma once

#include <cstdint>

#include "anneal/base/dtype.hpp"

namespace anneal {

// Turns `heads` consecutive heads of one row: pairs (i, i + half) by the angles whose cosines and
// sines are given; then copies `rest` elements that follow. In place if from == to.
struct RopeKernels {
  // Cosines and sines of position·frequency[i], i < half.
  void (*turns)(double position, const double* frequency, int64_t half, float* cosine, float* sine);
  void (*f32_f32)(const float* from, float* to, const float* cosine, const float* sine,
                  int64_t heads, int64_t half, int64_t rest);
  void (*bf16_bf16)(const bf16* from, bf16* to, const float* cosine, const float* sine,
                    int64_t heads, int64_t half, int64_t rest);
  void (*bf16_f32)(const bf16* from, float* to, const float* cosine, const float* sine,
                   int64_t heads, int64_t half, int64_t rest);
};

namespace portable {
extern const RopeKernels rope_kernels;
}
namespace avx2 {
extern const RopeKernels rope_kernels;
}
namespace avx512 {
extern const RopeKernels rope_kernels;
}

}  // namespace anneal
