#include "anneal/device/cpu/convert_kernel.hpp"
#include "anneal/device/cpu/simd.hpp"

namespace anneal::ANNEAL_ISA {

void widen_range(const bf16* from, float* to, int64_t n) {
  for_vectors(n, [&](int64_t i, auto lanes) {
    if constexpr (__is_same(decltype(lanes), FullLanes))
      store(to + i, load(from + i));
    else
      store(to + i, load(from + i, lanes), lanes);
  });
}

void narrow_range(const float* from, bf16* to, int64_t n) {
  for_vectors(n, [&](int64_t i, auto lanes) {
    if constexpr (__is_same(decltype(lanes), FullLanes))
      store(to + i, load(from + i));
    else
      store(to + i, load(from + i, lanes), lanes);
  });
}

}  // namespace anneal::ANNEAL_ISA
