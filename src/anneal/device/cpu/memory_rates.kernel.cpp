#include "anneal/device/cpu/memory_rates_kernel.hpp"
#include "anneal/device/cpu/simd.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

void triad(const float* a, const float* b, float* to, int64_t n) {
  for_vectors(n, [&](int64_t i, auto lanes) {
    store(to + i, load(a + i, lanes) + 3.0f * load(b + i, lanes), lanes);
  });
}

void streaming_triad(const float* a, const float* b, float* to, int64_t n) {
  int64_t i = 0;
  for (; i + width <= n; i += width) stream(to + i, load(a + i) + 3.0f * load(b + i));
  if (i < n) triad(a + i, b + i, to + i, n - i);
  stream_fence();
}

float sum(const float* a, int64_t n) {
  vf total[4] = {};
  int64_t i = 0;
  for (; i + 4 * width <= n; i += 4 * width)
    for (int k = 0; k < 4; ++k) total[k] += load(a + i + k * width);
  for_vectors(n - i, [&](int64_t j, auto lanes) { total[0] += load(a + i + j, lanes); });
  return hsum((total[0] + total[1]) + (total[2] + total[3]));
}

}  // namespace

const MemoryRateKernels memory_rates = {triad, streaming_triad, sum};

}  // namespace anneal::ANNEAL_ISA
