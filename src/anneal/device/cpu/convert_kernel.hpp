#pragma once

#include <cstdint>

#include "anneal/device/cpu/per_low.hpp"

namespace anneal {

// n elements of a 16-bit float.
struct ConvertKernels {
  void (*widen)(const void* from, float* to, int64_t n);
  void (*narrow)(const float* from, void* to, int64_t n);
};

namespace portable {
extern const PerLow<ConvertKernels> convert;
}
namespace avx2 {
extern const PerLow<ConvertKernels> convert;
}
namespace avx512 {
extern const PerLow<ConvertKernels> convert;
}

}  // namespace anneal
