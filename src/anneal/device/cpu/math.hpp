#pragma once

// Vectorised exp, log, tanh, sigmoid and the normal distribution for kernel sources; see simd.hpp.
// Errors are at most 1 ulp for exp and log, 1.5 for tanh and 2.5 for sigmoid over the whole range,
// denormal results included. A NaN in gives a NaN out, and nothing else does but log of a negative
// number.
//
// The polynomials of exp, log and tanh are those of Cephes (S. L. Moshier, expf, logf, tanhf),
// found by the Remez method on the reduced interval.

#include "anneal/device/cpu/simd.hpp"

namespace anneal::ANNEAL_ISA {

// e^x = 2^n·e^r with n = round(x/ln 2), |r| <= ln(2)/2. `p` is e^r.
struct ExpParts {
  vf p;
  vi n;
};

// x must not exceed ±2^21 in magnitude.
[[gnu::always_inline]] inline ExpParts exp_parts(vf x) {
  // Adding 1.5·2^23 leaves the nearest integer in the low bits of the sum.
  const float magic = 12582912.0f;
  vf shifted = x * 1.44269504088896341f + magic;
  vf n = shifted - magic;
  // ln 2 in two parts, the first short enough for n·0.693359375 to be exact.
  vf r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  vf p = broadcast(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  return {p, (vi)((vu)shifted - (vu)broadcast(magic))};
}

// 2^n for n in [-126, 127].
[[gnu::always_inline]] inline vf power_of_two(vi n) { return (vf)(((vu)n + 127u) << 23); }

// Infinite above 88.7228, denormal below -87.34, zero below -103.97.
[[gnu::always_inline]] inline vf exp(vf x) {
  ExpParts e = exp_parts(min(broadcast(89.0f), max(broadcast(-105.0f), x)));
#if defined(__AVX512F__)
  return _mm512_maskz_scalef_ps(all_lanes, e.p, to_float(e.n));
#else
  vi half = e.n >> 1;  // 2^n itself may be out of range
  return e.p * power_of_two(half) * power_of_two((vi)((vu)e.n - (vu)half));
#endif
}

// -inf at 0, NaN below.
[[gnu::always_inline]] inline vf log(vf x) {
  vi tiny = x < 1.17549435e-38f;
  vf scaled = select(tiny, x * 33554432.0f, x);  // 2^25 makes a denormal normal
  // x = m·2^n with m in [sqrt(1/2), sqrt(2))
  vi bits = as_int(scaled);
  vi n = (vi)((vu)bits - 0x3f3504f3u) >> 23;
  vf m = (vf)((vu)bits - ((vu)n << 23));
  vf f = to_float(n + select(tiny, broadcast(int32_t{-25}), vi{}));
  vf r = m - 1.0f;
  vf z = r * r;
  vf p = broadcast(7.0376836292e-2f);
  p = p * r - 1.1514610310e-1f;
  p = p * r + 1.1676998740e-1f;
  p = p * r - 1.2420140846e-1f;
  p = p * r + 1.4249322787e-1f;
  p = p * r - 1.6668057665e-1f;
  p = p * r + 2.0000714765e-1f;
  p = p * r - 2.4999993993e-1f;
  p = p * r + 3.3333331174e-1f;
  vf low = p * r * z + f * -2.12194440e-4f;
  low = low - 0.5f * z;
  vf y = (r + low) + f * 0.693359375f;
  y = select(x == __builtin_inff(), x, y);
  y = select(x == 0.0f, broadcast(-__builtin_inff()), y);
  return select(x >= 0.0f, y, select(x < 0.0f, broadcast(__builtin_nanf("")), x));
}

[[gnu::always_inline]] inline vf tanh(vf x) {
  vf a = abs(x);
  // Small arguments: a + a^3·P(a^2).
  vf z = x * x;
  vf p = broadcast(-5.70498872745e-3f);
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  vf small = p * z * a + a;
  // Others: 1 - 2/(e^2|x| + 1), which is 1 from |x| = 9.02 on.
  ExpParts e = exp_parts(min(broadcast(20.0f), a + a));
  vf large = 1.0f - 2.0f / (e.p * power_of_two(e.n) + 1.0f);
  return copysign(select(a < 0.625f, small, large), x);
}

// 1/(1 + e^-x), without loss for very negative x: there it is e^x/(1 + e^x).
[[gnu::always_inline]] inline vf sigmoid(vf x) {
  vf e = exp(-abs(x));
  return select(x < 0.0f, e, broadcast(1.0f)) / (1.0f + e);
}

// Φ(x) = (1 + erf(x/√2))/2, the probability that a standard normal variable is below x; to an
// absolute error of 2^-23. The polynomials are N. Juffa's for erff: of erf(t)/t − 1 near 0, and of
// ln erfc(t) beyond.
[[gnu::always_inline]] inline vf normal_distribution(vf x) {
  vf a = x * 0.70710678118654752f;
  vf t = abs(a), s = a * a;
  vf p = broadcast(-5.96761703e-4f);
  p = p * s + 4.99119423e-3f;
  p = p * s - 2.67681349e-2f;
  p = p * s + 1.12819925e-1f;
  p = p * s - 3.76125336e-1f;
  p = p * s + 1.28379166e-1f;
  vf near = 0.5f + 0.5f * (p * a + a);
  vf r = (broadcast(-1.72853470e-5f) * t + 3.83197126e-4f) * s - 3.88396438e-3f * t;
  r = r + 2.42546219e-2f;
  r = r * t - 1.06777877e-1f;
  r = r * t - 6.34846687e-1f;
  r = r * t - 1.28717512e-1f;
  vf tail = 0.5f * exp(r * t - t);
  return select(t > 0.927734375f, select(x < 0.0f, tail, 1.0f - tail), near);
}

}  // namespace anneal::ANNEAL_ISA
