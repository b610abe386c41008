#pragma once

#include <cstdint>

#include "anneal/base/dtype.hpp"

namespace anneal {

// The vector functions over arrays of n elements, as simd_test.kernel.cpp compiles them for each
// instruction set.
struct SimdProbe {
  using Unary = void(const float* x, float* y, int64_t n);
  using Binary = void(const float* a, const float* b, float* y, int64_t n);

  int width;
  Unary* exp;
  Unary* log;
  Unary* tanh;
  Unary* sigmoid;
  Unary* normal_distribution;
  Unary* sqrt;
  Unary* abs;
  Unary* copy;    // partial loads and stores
  Unary* stream;  // n a multiple of the width
  Binary* min;
  Binary* max;
  Binary* copysign;
  Binary* less;  // 1 where a < b, else 0
  void (*narrow_bf16)(const float* x, bf16* y, int64_t n);
  void (*narrow_f16)(const float* x, f16* y, int64_t n);
  void (*widen_bf16)(const bf16* x, float* y, int64_t n);
  void (*widen_f16)(const f16* x, float* y, int64_t n);
  // The width numbers that a partial load of n elements gives, with the given fill.
  void (*load_partial)(const float* x, float fill, float* y, int n);
  void (*load_partial_bf16)(const bf16* x, float fill, float* y, int n);
  void (*load_partial_f16)(const f16* x, float fill, float* y, int n);
  // Of one vector.
  float (*hsum)(const float* x);
  float (*largest)(const float* x);
  float (*smallest)(const float* x);
  void (*iota)(int32_t* y);
};

namespace portable {
extern const SimdProbe simd_probe;
}
namespace avx2 {
extern const SimdProbe simd_probe;
}
namespace avx512 {
extern const SimdProbe simd_probe;
}

}  // namespace anneal
