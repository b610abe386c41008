#include "anneal/device/cpu/simd_philox.hpp"
#include "anneal/ops/dropout/kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

constexpr int vectors = mask_vectors;

[[gnu::always_inline]] inline void factors(const DropoutRange& r, int64_t e, vf (&out)[vectors]) {
  drop_factors(r.key, r.sample, e, r.threshold, r.scale, out);
}

// A dropped element is zero even where x is not finite.
[[gnu::always_inline]] inline vf drop(vf x, vf factor) {
  return select(factor == 0.0f, vf{}, x * factor);
}

template <class In, class Out>
void drop_range(const void* from, void* to, const DropoutRange& r) {
  auto* x = static_cast<const In*>(from);
  auto* out = static_cast<Out*>(to);
  vf factor[vectors];
  int64_t e = r.begin;
  for (; e + vectors * width <= r.end; e += vectors * width) {
    factors(r, e, factor);
    for (int i = 0; i < vectors; ++i)
      store(out + e + i * width, drop(load(x + e + i * width), factor[i]));
  }
  if (e == r.end) return;
  factors(r, e, factor);
  float tail[vectors * width];
  for (int i = 0; i < vectors; ++i) store(tail + i * width, factor[i]);
  for_vectors(r.end - e, [&](int64_t i, auto lanes) {
    store(out + e + i, drop(load(x + e + i, lanes), load(tail + i, lanes)), lanes);
  });
}

}  // namespace

const PerLow<DropoutKernels> dropout_kernels = per_low([]<class L>(Tag<L>) {
  return DropoutKernels{
      {{drop_range<float, float>, drop_range<float, L>}, {drop_range<L, float>, drop_range<L, L>}}};
});

}  // namespace anneal::ANNEAL_ISA
