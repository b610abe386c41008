#include "anneal/device/cpu/simd.hpp"
#include "anneal/ops/rope/kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

template <class In, class Out>
void turn_row(const In* from, Out* to, const float* cosine, const float* sine, int64_t heads,
              int64_t half, int64_t rest) {
  for (int64_t h = 0; h < heads; ++h) {
    for_vectors(half, [&](int64_t i, auto lanes) {
      vf c = load(cosine + i, lanes), s = load(sine + i, lanes);
      vf x = load(from + i, lanes), y = load(from + half + i, lanes);
      store(to + i, x * c - y * s, lanes);
      store(to + half + i, y * c + x * s, lanes);
    });
    from += 2 * half;
    to += 2 * half;
  }
  for_vectors(rest, [&](int64_t i, auto lanes) { store(to + i, load(from + i, lanes), lanes); });
}

}  // namespace

const RopeKernels rope_kernels = {turn_row<float, float>, turn_row<bf16, bf16>,
                                  turn_row<bf16, float>};

}  // namespace anneal::ANNEAL_ISA
