#pragma once

#include <cstdint>

#include "anneal/base/dtype.hpp"

namespace anneal {

// out[e] = keep(e) ? x[e]·scale : 0 for elements [begin, end) of one sample, begin a multiple of 4;
// element e is kept iff the upper 24 bits of its random word are at least `threshold`.
struct DropoutRange {
  uint64_t key;
  uint64_t sample;
  int64_t begin, end;
  uint32_t threshold;
  float scale;
};
struct DropoutKernels {
  void (*f32_f32)(const float* x, float* out, const DropoutRange& range);
  void (*bf16_bf16)(const bf16* x, bf16* out, const DropoutRange& range);
  void (*bf16_f32)(const bf16* x, float* out, const DropoutRange& range);
};

namespace portable {
extern const DropoutKernels dropout_kernels;
}
namespace avx2 {
extern const DropoutKernels dropout_kernels;
}
namespace avx512 {
extern const DropoutKernels dropout_kernels;
}

}  // namespace anneal
