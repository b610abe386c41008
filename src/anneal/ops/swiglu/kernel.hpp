#pragma once

#include <cstdint>

namespace anneal {

// `rows` rows; gate and up are the halves of rows of 2n elements, the others have rows of n. Types
// are f32 or bf16, as the kernel that is called says.
struct SwigluKernels {
  using Forward = void(const void* gate_up, int64_t rows, int64_t n, void* y);
  using Backward = void(const void* dy, const void* gate_up, int64_t rows, int64_t n,
                        void* d_gate_up);
  Forward* forward[2][2];       // [gate_up is bf16][y is bf16]
  Backward* backward[2][2][2];  // [dy is bf16][gate_up is bf16][d_gate_up is bf16]
};

namespace portable {
extern const SwigluKernels swiglu;
}
namespace avx2 {
extern const SwigluKernels swiglu;
}
namespace avx512 {
extern const SwigluKernels swiglu;
}

}  // namespace anneal
