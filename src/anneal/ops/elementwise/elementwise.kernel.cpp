#include "anneal/device/cpu/math.hpp"
#include "anneal/device/cpu/simd.hpp"
#include "anneal/ops/elementwise/kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

// Four vectors at a time where they are whole: short functions would otherwise spend as much on the
// loop as on the numbers. All are loaded before any is stored, since out may be a or b.
template <class F>
[[gnu::always_inline]] inline void unary(const float* a, float* out, int64_t n, F f) {
  int64_t i = 0;
  for (; i + 4 * width <= n; i += 4 * width) {
    vf x[4];
    for (int k = 0; k < 4; ++k) x[k] = load(a + i + k * width);
    for (int k = 0; k < 4; ++k) store(out + i + k * width, f(x[k]));
  }
  for_vectors(n - i,
              [&](int64_t j, auto lanes) { store(out + i + j, f(load(a + i + j, lanes)), lanes); });
}

template <class F>
[[gnu::always_inline]] inline void binary(const float* a, const float* b, float* out, int64_t n,
                                          F f) {
  int64_t i = 0;
  for (; i + 4 * width <= n; i += 4 * width) {
    vf x[4], y[4];
    for (int k = 0; k < 4; ++k) x[k] = load(a + i + k * width), y[k] = load(b + i + k * width);
    for (int k = 0; k < 4; ++k) store(out + i + k * width, f(x[k], y[k]));
  }
  for_vectors(n - i, [&](int64_t j, auto lanes) {
    store(out + i + j, f(load(a + i + j, lanes), load(b + i + j, lanes)), lanes);
  });
}

template <class F>
[[gnu::always_inline]] inline void ternary(const float* a, const float* b, const float* c,
                                           float* out, int64_t n, F f) {
  int64_t i = 0;
  for (; i + 4 * width <= n; i += 4 * width) {
    vf x[4], y[4], z[4];
    for (int k = 0; k < 4; ++k) {
      x[k] = load(a + i + k * width);
      y[k] = load(b + i + k * width);
      z[k] = load(c + i + k * width);
    }
    for (int k = 0; k < 4; ++k) store(out + i + k * width, f(x[k], y[k], z[k]));
  }
  for_vectors(n - i, [&](int64_t j, auto lanes) {
    store(out + i + j, f(load(a + i + j, lanes), load(b + i + j, lanes), load(c + i + j, lanes)),
          lanes);
  });
}

// gelu(x) = x·sigmoid(2u) with u = sqrt(2/pi)(x + 0.044715 x^3), since (1 + tanh u)/2 =
// sigmoid(2u).
[[gnu::always_inline]] inline vf gelu_gate(vf x) {
  return sigmoid(x * (1.5957691216057308f + 0.07135481627159665f * (x * x)));
}

[[gnu::always_inline]] inline vf gelu_slope(vf x) {
  vf s = gelu_gate(x);
  vf inner = 1.5957691216057308f + 0.21406444881478996f * (x * x);
  vf slope = s + x * s * (1.0f - s) * inner;
  // Far out s(1-s) is zero but inner overflows; the product must not become NaN.
  return select(abs(x) > 1e4f, s, slope);
}

[[gnu::always_inline]] inline vf gelu_exact_slope(vf x) {
  vf density = 0.3989422804014327f * exp(-0.5f * (x * x));
  // At infinity the density is zero, and x times it would become NaN.
  return normal_distribution(x) + select(abs(x) > 1e4f, vf{}, x * density);
}

void run(Ew function, const float* a, const float* b, float c, float* out, int64_t n) {
  const vf one = broadcast(1.0f), zero{};
  switch (function) {
    case Ew::copy:
      return unary(a, out, n, [](vf x) { return x; });
    case Ew::neg:
      return unary(a, out, n, [](vf x) { return -x; });
    case Ew::square:
      return unary(a, out, n, [](vf x) { return x * x; });
    case Ew::sqrt:
      return unary(a, out, n, [](vf x) { return sqrt(x); });
    case Ew::reciprocal:
      return unary(a, out, n, [&](vf x) { return one / x; });
    case Ew::exp:
      return unary(a, out, n, [](vf x) { return exp(x); });
    case Ew::log:
      return unary(a, out, n, [](vf x) { return log(x); });
    case Ew::tanh:
      return unary(a, out, n, [](vf x) { return tanh(x); });
    case Ew::sigmoid:
      return unary(a, out, n, [](vf x) { return sigmoid(x); });
    case Ew::relu:
      return unary(a, out, n, [&](vf x) { return max(zero, x); });
    case Ew::step:
      return unary(a, out, n, [&](vf x) { return select(x > zero, one, zero); });
    case Ew::gelu:
      return unary(a, out, n, [](vf x) { return x * gelu_gate(x); });
    case Ew::gelu_derivative:
      return unary(a, out, n, [](vf x) { return gelu_slope(x); });
    case Ew::gelu_exact:
      return unary(a, out, n, [](vf x) { return x * normal_distribution(x); });
    case Ew::gelu_exact_derivative:
      return unary(a, out, n, [](vf x) { return gelu_exact_slope(x); });
    case Ew::silu:
      return unary(a, out, n, [](vf x) { return x * sigmoid(x); });
    case Ew::silu_derivative:
      return unary(a, out, n, [&](vf x) {
        vf s = sigmoid(x);
        return s * (one + x * (one - s));
      });
    case Ew::scale:
      return unary(a, out, n, [&](vf x) { return x * c; });
    case Ew::shift:
      return unary(a, out, n, [&](vf x) { return x + c; });
    case Ew::add:
      return binary(a, b, out, n, [](vf x, vf y) { return x + y; });
    case Ew::sub:
      return binary(a, b, out, n, [](vf x, vf y) { return x - y; });
    case Ew::mul:
      return binary(a, b, out, n, [](vf x, vf y) { return x * y; });
    case Ew::div:
      return binary(a, b, out, n, [](vf x, vf y) { return x / y; });
    case Ew::maximum:
      return binary(a, b, out, n, [](vf x, vf y) { return select((y > x) | (y != y), y, x); });
    case Ew::minimum:
      return binary(a, b, out, n, [](vf x, vf y) { return select((y < x) | (y != y), y, x); });
    case Ew::count:
      return;
  }
}

void run_fused(EwFused function, const float* a, const float* b, const float* c, float k, float l,
               float* out, int64_t n) {
  switch (function) {
    case EwFused::multiply_add:
      return ternary(a, b, c, out, n, [](vf x, vf y, vf z) { return fma(x, y, z); });
    case EwFused::multiply_subtract:
      return ternary(a, b, c, out, n, [](vf x, vf y, vf z) { return z - x * y; });
    case EwFused::multiply_shift:
      return binary(a, b, out, n, [&](vf x, vf y) { return x * y + k; });
    case EwFused::combine:
      return binary(a, b, out, n, [&](vf x, vf y) { return k * x + l * y; });
    case EwFused::divide_by_root:
      return ternary(a, b, c, out, n, [&](vf x, vf y, vf z) { return x / (sqrt(y) * z + k); });
    case EwFused::none:
      return;
  }
}

}  // namespace

const ElementwiseKernels elementwise = {run, run_fused};

}  // namespace anneal::ANNEAL_ISA
