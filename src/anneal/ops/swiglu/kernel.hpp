#pragma once

#include <cstdint>

#include "anneal/device/cpu/per_low.hpp"

namespace anneal {

// `rows` rows; gate and up are the halves of rows of 2n elements, the others have rows of n. Types
// are f32 or the table's 16-bit float, as the kernel that is called says.
struct SwigluKernels {
  using Forward = void(const void* gate_up, int64_t rows, int64_t n, void* y);
  using Backward = void(const void* dy, const void* gate_up, int64_t rows, int64_t n,
                        void* d_gate_up);
  Forward* forward[2][2];       // [gate_up is low][y is low]
  Backward* backward[2][2][2];  // [dy is low][gate_up is low][d_gate_up is low]
};

namespace portable {
extern const PerLow<SwigluKernels> swiglu;
}
namespace avx2 {
extern const PerLow<SwigluKernels> swiglu;
}
namespace avx512 {
extern const PerLow<SwigluKernels> swiglu;
}

}  // namespace anneal
