#pragma once

#include <cstdint>

#include "anneal/base/dtype.hpp"

namespace anneal {

// A part of y = x·B, some columns and some inner indices; x and y are f32.
struct GemvPart {
  const void* b = nullptr;  // at the part's first element
  DType dtype = DType::f32;
  int64_t leading = 0;  // elements between stored rows of B
  const float* x = nullptr;
  int64_t k = 0;  // at least 1
  int64_t n = 0;
  float* y = nullptr;
};

struct GemvKernels {
  void (*rows_along_n)(const GemvPart& part);  // B is stored [k][n]
  void (*rows_along_k)(const GemvPart& part);  // B is stored [n][k]
};

namespace portable {
extern const GemvKernels gemv;
}
namespace avx2 {
extern const GemvKernels gemv;
}
namespace avx512 {
extern const GemvKernels gemv;
}

}  // namespace anneal
