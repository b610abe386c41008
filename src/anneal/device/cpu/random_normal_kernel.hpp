#pragma once

#include <cstdint>

namespace anneal {

// to[i] = scale · normal_pair(philox(key, (first + i) / 2, 0))[(first + i) % 2] for i below n,
// rounded from FP64; `first` is even. The same bits with every instruction set.
using RandomNormalKernel = void(uint64_t key, int64_t first, int64_t n, double scale, float* to);

namespace portable {
RandomNormalKernel random_normal;
}
namespace avx2 {
RandomNormalKernel random_normal;
}
namespace avx512 {
RandomNormalKernel random_normal;
}

}  // namespace anneal
