#pragma once

#include <cstdint>

#include "anneal/ops/elementwise/tape.hpp"

namespace anneal {

// The vector loops of the element-wise family over one block of n floats.
struct ElementwiseKernels {
  // out[i] = function(a[i], b[i]); b is null for unary functions.
  void (*run)(Ew function, const float* a, const float* b, float constant, float* out, int64_t n);
  // One of the fused functions.
  void (*run_fused)(EwFused function, const float* a, const float* b, const float* c, float k,
                    float l, float* out, int64_t n);
};

namespace portable {
extern const ElementwiseKernels elementwise;
}
namespace avx2 {
extern const ElementwiseKernels elementwise;
}
namespace avx512 {
extern const ElementwiseKernels elementwise;
}

}  // namespace anneal
