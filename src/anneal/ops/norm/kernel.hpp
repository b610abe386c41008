#pragma once

#include <cstdint>

#include "anneal/device/cpu/per_low.hpp"

namespace anneal {

// Rows of length n. x and y are f32 or the table's 16-bit float, as the kernel that is called
// says.
struct NormForward {
  const void* x;
  const float* addend;  // added to x, which is f32 then, before all else; or null
  float* sum;           // where that goes
  const float* gain;
  const float* bias;  // layernorm only
  float eps;
  int64_t rows, n;
  void* y;
  float* mean;  // one a row; layernorm only
  float* rstd;  // one a row
};

struct NormBackward {
  const void* dy;
  const void* x;
  const float* gain;
  const float* mean;  // layernorm only
  const float* rstd;
  const float* dx_from;  // added to dx, or null
  int64_t rows, n;
  float* dx;
  float* dgain;  // sums over these rows
  float* dbias;  // likewise; layernorm only
};

struct NormKernels {
  using Forward = void(const NormForward&);
  using Backward = void(const NormBackward&);
  Forward* layernorm[2][2];        // [x is low][y is low]
  Forward* rmsnorm[2][2];          // likewise
  Backward* layernorm_grad[2][2];  // [dy is low][x is low]
  Backward* rmsnorm_grad[2][2];    // likewise
};

namespace portable {
extern const PerLow<NormKernels> norm;
}
namespace avx2 {
extern const PerLow<NormKernels> norm;
}
namespace avx512 {
extern const PerLow<NormKernels> norm;
}

}  // namespace anneal
