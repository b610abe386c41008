#pragma once

#include <cstdint>

#include "anneal/device/cpu/per_low.hpp"

namespace anneal {

// to[c] += from[c] for c in [0, n).
struct EmbeddingKernels {
  void (*add[2])(const void* from, float* to, int64_t n);  // [from is low]
};

namespace portable {
extern const PerLow<EmbeddingKernels> embedding_kernels;
}
namespace avx2 {
extern const PerLow<EmbeddingKernels> embedding_kernels;
}
namespace avx512 {
extern const PerLow<EmbeddingKernels> embedding_kernels;
}

}  // namespace anneal
