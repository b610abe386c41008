#pragma once

#include <cstdint>

namespace anneal {

// FP64 sum of the squares of n floats.
using SumSquares = double(const float* x, int64_t n);
namespace portable {
SumSquares sum_squares_f32;
}
namespace avx2 {
SumSquares sum_squares_f32;
}
namespace avx512 {
SumSquares sum_squares_f32;
}

}  // namespace anneal
