#pragma once

#include <cstdint>

#include "anneal/base/dtype.hpp"

namespace anneal {

// out[j] (+)= Σ_i x[i·stride + j] over `rows` rows, for j in [0, n).
using SumRowsF32 = void(const float* x, int64_t rows, int64_t stride, int64_t n, bool accumulate,
                        float* out);
using SumRowsBf16 = void(const bf16* x, int64_t rows, int64_t stride, int64_t n, bool accumulate,
                         float* out);
namespace portable {
SumRowsF32 sum_rows_f32;
SumRowsBf16 sum_rows_bf16;
}  // namespace portable
namespace avx2 {
SumRowsF32 sum_rows_f32;
SumRowsBf16 sum_rows_bf16;
}  // namespace avx2
namespace avx512 {
SumRowsF32 sum_rows_f32;
SumRowsBf16 sum_rows_bf16;
}  // namespace avx512

}  // namespace anneal
