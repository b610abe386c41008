#pragma once

#include <cstdint>

#include "anneal/base/dtype.hpp"

namespace anneal {

// to[c] += from[c] for c in [0, n).
struct EmbeddingKernels {
  void (*add_f32)(const float* from, float* to, int64_t n);
  void (*add_bf16)(const bf16* from, float* to, int64_t n);
};

namespace portable {
extern const EmbeddingKernels embedding_kernels;
}
namespace avx2 {
extern const EmbeddingKernels embedding_kernels;
}
namespace avx512 {
extern const EmbeddingKernels embedding_kernels;
}

}  // namespace anneal
