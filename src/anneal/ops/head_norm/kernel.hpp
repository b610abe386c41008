#pragma once

#include <cstdint>

#include "anneal/device/cpu/per_low.hpp"

namespace anneal {

// Rows of heads + kv_heads heads to normalise and `kv_heads` more to copy, of d columns each. x, y
// and their gradients are f32 or the table's 16-bit float, as the kernel that is called says.
struct HeadNormForward {
  const void* x;
  const float* gain[2];  // of queries, of keys
  float eps;
  int64_t rows, heads, kv_heads, d;
  void* y;      // may be x
  float* rstd;  // heads + kv_heads a row
};

struct HeadNormBackward {
  const void* dy;
  const void* x;
  const float* gain[2];
  const float* rstd;
  int64_t rows, heads, kv_heads, d;
  void* dx;      // may be dy or x
  float* dgain;  // [2][d]: sums over these rows
};

struct HeadNormKernels {
  using Forward = void(const HeadNormForward&);
  using Backward = void(const HeadNormBackward&);
  Forward* forward[2][2];       // [x is low][y is low]
  Backward* backward[2][2][2];  // [dy is low][x is low][dx is low]
};

namespace portable {
extern const PerLow<HeadNormKernels> head_norm;
}
namespace avx2 {
extern const PerLow<HeadNormKernels> head_norm;
}
namespace avx512 {
extern const PerLow<HeadNormKernels> head_norm;
}

}  // namespace anneal
