#pragma once

#include <cstdint>

namespace anneal {

struct MemoryRateKernels {
  // to = a + 3·b over n floats: with ordinary stores, and past the caches.
  void (*triad)(const float* a, const float* b, float* to, int64_t n);
  void (*streaming_triad)(const float* a, const float* b, float* to, int64_t n);
  float (*sum)(const float* a, int64_t n);
};

namespace portable {
extern const MemoryRateKernels memory_rates;
}
namespace avx2 {
extern const MemoryRateKernels memory_rates;
}
namespace avx512 {
extern const MemoryRateKernels memory_rates;
}

}  // namespace anneal
