#include "anneal/device/cpu/math.hpp"
#include "anneal/device/cpu/simd.hpp"
#include "anneal/ops/swiglu/kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

// Results go to 16 bits by way of a block of floats: rounding at the end of the long chain of
// sigmoid would leave too few chains in flight, and costs half as much in a loop of its own.
constexpr int64_t block = 256;

template <class T>
[[gnu::always_inline]] inline float* results(T* to, float* buffer) {
  if constexpr (sizeof(T) == sizeof(float))
    return to;
  else
    return buffer;
}

template <class T>
[[gnu::always_inline]] inline void finish(const float* from, T* to, int64_t n) {
  if constexpr (sizeof(T) != sizeof(float))
    for_vectors(n, [&](int64_t i, auto lanes) { store(to + i, load(from + i, lanes), lanes); });
}

// Calls f(column, length) for the blocks of a row.
template <class F>
[[gnu::always_inline]] inline void for_blocks(int64_t n, F&& f) {
  for (int64_t i = 0; i < n; i += block) f(i, n - i < block ? n - i : block);
}

template <class X, class Y>
void forward(const void* gate_up, int64_t rows, int64_t n, void* out) {
  alignas(64) float buffer[block];
  for (int64_t row = 0; row < rows; ++row) {
    for_blocks(n, [&](int64_t column, int64_t length) {
      const X* gate = static_cast<const X*>(gate_up) + row * 2 * n + column;
      Y* y = static_cast<Y*>(out) + row * n + column;
      float* result = results(y, buffer);
      for_vectors(length, [&](int64_t i, auto lanes) {
        vf z = load(gate + i, lanes);
        store(result + i, z * sigmoid(z) * load(gate + n + i, lanes), lanes);
      });
      finish(result, y, length);
    });
  }
}

template <class DY, class X, class DX>
void backward(const void* grad, const void* gate_up, int64_t rows, int64_t n, void* out) {
  alignas(64) float gate_buffer[block], up_buffer[block];
  for (int64_t row = 0; row < rows; ++row) {
    for_blocks(n, [&](int64_t column, int64_t length) {
      const DY* dy = static_cast<const DY*>(grad) + row * n + column;
      const X* gate = static_cast<const X*>(gate_up) + row * 2 * n + column;
      DX* d_gate = static_cast<DX*>(out) + row * 2 * n + column;
      float* gate_result = results(d_gate, gate_buffer);
      float* up_result = results(d_gate + n, up_buffer);
      for_vectors(length, [&](int64_t i, auto lanes) {
        vf d = load(dy + i, lanes), z = load(gate + i, lanes), up = load(gate + n + i, lanes);
        vf s = sigmoid(z);
        vf silu = z * s;
        // silu'(z) = s·(1 + z·(1 − s))
        store(gate_result + i, d * up * (s + silu * (1.0f - s)), lanes);
        store(up_result + i, d * silu, lanes);
      });
      finish(gate_result, d_gate, length);
      finish(up_result, d_gate + n, length);
    });
  }
}

}  // namespace

const PerLow<SwigluKernels> swiglu = per_low([]<class L>(Tag<L>) {
  return SwigluKernels{
      {{forward<float, float>, forward<float, L>}, {forward<L, float>, forward<L, L>}},
      {{{backward<float, float, float>, backward<float, float, L>},
        {backward<float, L, float>, backward<float, L, L>}},
       {{backward<L, float, float>, backward<L, float, L>},
        {backward<L, L, float>, backward<L, L, L>}}},
  };
});

}  // namespace anneal::ANNEAL_ISA
