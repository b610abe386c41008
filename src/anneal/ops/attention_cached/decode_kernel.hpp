#pragma once

#include <cstdint>

#include "anneal/base/dtype.hpp"

namespace anneal {

// Query heads of one position against some consecutive keys of the key head that they share, in
// one pass over both caches. Rows of f32 scratch are `padded` long, head_dim rounded up to 16.
struct DecodeTile {
  const float* q = nullptr;  // [heads][padded], times the scale
  int64_t heads = 0;
  int64_t dim = 0;
  int64_t padded = 0;
  const void* k = nullptr;  // [keys][dim] of `cache`
  const void* v = nullptr;
  DType cache = DType::f32;
  int64_t keys = 0;
  // Of each head: Σ exp(score − largest)·v, the largest score, and Σ exp(score − largest).
  float* sum_v = nullptr;  // [heads][padded]
  float* largest = nullptr;
  float* sum = nullptr;
};

// The results of `parts` tiles of one head, part p's at sum_v + p·stride·padded, largest[p·stride]
// and sum[p·stride].
struct DecodeParts {
  const float* sum_v = nullptr;
  const float* largest = nullptr;
  const float* sum = nullptr;
  int64_t parts = 0;
  int64_t stride = 0;
  int64_t padded = 0;
  float* out = nullptr;  // [padded], the head's output
};

struct DecodeKernels {
  void (*attend)(const DecodeTile& tile);
  void (*join)(const DecodeParts& parts);
};

namespace portable {
extern const DecodeKernels decode;
}
namespace avx2 {
extern const DecodeKernels decode;
}
namespace avx512 {
extern const DecodeKernels decode;
}

}  // namespace anneal
