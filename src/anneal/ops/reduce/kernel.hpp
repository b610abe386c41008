#pragma once

#include <cstdint>

#include "anneal/device/cpu/per_low.hpp"

namespace anneal {

// out[j] (+)= Σ_i x[i·stride + j] over `rows` rows, for j in [0, n).
struct SumRowsKernels {
  using SumRows = void(const void* x, int64_t rows, int64_t stride, int64_t n, bool accumulate,
                       float* out);
  SumRows* sum_rows[2];  // [x is low]
};

namespace portable {
extern const PerLow<SumRowsKernels> reduce;
}
namespace avx2 {
extern const PerLow<SumRowsKernels> reduce;
}
namespace avx512 {
extern const PerLow<SumRowsKernels> reduce;
}

}  // namespace anneal
