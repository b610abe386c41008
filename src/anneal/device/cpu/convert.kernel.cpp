#include "anneal/device/cpu/convert_kernel.hpp"
#include "anneal/device/cpu/simd.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

template <class From, class To>
[[gnu::always_inline]] inline void convert_range(const From* from, To* to, int64_t n) {
  for_vectors(n, [&](int64_t i, auto lanes) { store(to + i, load(from + i, lanes), lanes); });
}

template <class L>
void widen_range(const void* from, float* to, int64_t n) {
  convert_range(static_cast<const L*>(from), to, n);
}

template <class L>
void narrow_range(const float* from, void* to, int64_t n) {
  convert_range(from, static_cast<L*>(to), n);
}

}  // namespace

const PerLow<ConvertKernels> convert = per_low([]<class L>(Tag<L>) {
  return ConvertKernels{widen_range<L>, narrow_range<L>};
});

}  // namespace anneal::ANNEAL_ISA
