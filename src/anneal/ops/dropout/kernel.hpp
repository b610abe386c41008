#pragma once

#include <cstdint>

#include "anneal/device/cpu/per_low.hpp"

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
  using Drop = void(const void* x, void* out, const DropoutRange& range);
  Drop* drop[2][2];  // [x is low][out is low]
};

namespace portable {
extern const PerLow<DropoutKernels> dropout_kernels;
}
namespace avx2 {
extern const PerLow<DropoutKernels> dropout_kernels;
}
namespace avx512 {
extern const PerLow<DropoutKernels> dropout_kernels;
}

}  // namespace anneal
