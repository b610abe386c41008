#include "anneal/device/cpu/math.hpp"
#include "anneal/device/cpu/simd.hpp"
#include "anneal/ops/swiglu/kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

template <class X, class Y>
void forward(const void* gate_up, int64_t rows, int64_t n, void* out) {
  for (int64_t row = 0; row < rows; ++row) {
    const X* gate = static_cast<const X*>(gate_up) + row * 2 * n;
    Y* y = static_cast<Y*>(out) + row * n;
    for_vectors(n, [&](int64_t i, auto lanes) {
      vf z = load(gate + i, lanes);
      store(y + i, z * sigmoid(z) * load(gate + n + i, lanes), lanes);
    });
  }
}

template <class DY, class X, class DX>
void backward(const void* grad, const void* gate_up, int64_t rows, int64_t n, void* out) {
  for (int64_t row = 0; row < rows; ++row) {
    const DY* dy = static_cast<const DY*>(grad) + row * n;
    const X* gate = static_cast<const X*>(gate_up) + row * 2 * n;
    DX* d_gate = static_cast<DX*>(out) + row * 2 * n;
    for_vectors(n, [&](int64_t i, auto lanes) {
      vf d = load(dy + i, lanes), z = load(gate + i, lanes), up = load(gate + n + i, lanes);
      vf s = sigmoid(z);
      vf silu = z * s;
      // silu'(z) = s·(1 + z·(1 − s))
      store(d_gate + i, d * up * (s + silu * (1.0f - s)), lanes);
      store(d_gate + n + i, d * silu, lanes);
    });
  }
}

}  // namespace

const SwigluKernels swiglu = {
    {{forward<float, float>, forward<float, bf16>}, {forward<bf16, float>, forward<bf16, bf16>}},
    {{{backward<float, float, float>, backward<float, float, bf16>},
      {backward<float, bf16, float>, backward<float, bf16, bf16>}},
     {{backward<bf16, float, float>, backward<bf16, float, bf16>},
      {backward<bf16, bf16, float>, backward<bf16, bf16, bf16>}}},
};

}  // namespace anneal::ANNEAL_ISA
