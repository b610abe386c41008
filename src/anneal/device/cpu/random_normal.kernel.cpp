// The build compiles this file without contraction (-ffp-contract=off): every lane does the same
// IEEE operations with every instruction set, fused multiply-add or not.

#include "anneal/device/cpu/random_normal_kernel.hpp"

#include <utility>

#include "anneal/device/cpu/simd.hpp"
#include "anneal/device/cpu/simd_philox.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

using vd = double __attribute__((vector_size(4 * width)));
using vf_half = float __attribute__((vector_size(2 * width)));

[[gnu::always_inline]] inline vd lanes_of(double x) { return x - vd{}; }

// Integers below 2^52, exactly: they become the fraction of a number from 2^52 on.
[[gnu::always_inline]] inline vd to_double(vq x) { return (vd)(x | 0x4330000000000000u) - 0x1p52; }

// uniform_double of base/rng.hpp; only the lower halves of the lanes count.
[[gnu::always_inline]] inline vd uniform(vq high, vq low) {
  vq bits = (high << 32 | (low & 0xffffffffu)) >> 11;
  return to_double(bits >> 27) * 0x1p-26 + to_double(bits & 0x7ffffffu) * 0x1p-53;
}

[[gnu::always_inline]] inline vd sqrt(vd x) {
#if defined(__AVX512F__)
  return _mm512_maskz_sqrt_pd(0xff, x);
#elif defined(__AVX2__)
  return _mm256_sqrt_pd(x);
#elif defined(__SSE2__)
  return _mm_sqrt_pd(x);
#else
  for (int i = 0; i < counters; ++i) x[i] = __builtin_sqrt(x[i]);
  return x;
#endif
}

// Within 1 ulp for normal x, by the polynomial of fdlibm's e_log.c.
[[gnu::always_inline]] inline vd log(vd x) {
  // x = m·2^n with m in [sqrt(1/2), sqrt(2))
  constexpr uint64_t root_half = 0x3fe6a09e667f3bcdu, bias = 1024;
  vq n = ((vq)x - root_half + (bias << 52)) >> 52;
  vd m = (vd)((vq)x - ((n - bias) << 52));
  vd k = to_double(n) - static_cast<double>(bias);
  vd f = m - 1.0, s = f / (2.0 + f), z = s * s, w = z * z;
  vd even = w * (3.999999999940941908e-01 +
                 w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
  vd odd = z * (6.666666666666735130e-01 +
                w * (2.857142874366239149e-01 +
                     w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
  vd half_square = 0.5 * f * f;
  vd low = s * (half_square + (even + odd)) + k * 1.90821492927058770002e-10;
  return k * 6.93147180369123816490e-01 - ((half_square - low) - f);
}

// cos and sin of 2π·x for x in [0, 1], by the polynomials of fdlibm's k_cos.c and k_sin.c.
[[gnu::always_inline]] inline void cos_sin_of_turns(vd x, vd& cos, vd& sin) {
  const double magic = 0x1.8p52;  // leaves the nearest integer in the low bits of a sum
  vd shifted = 4.0 * x + magic;
  vd r = 6.283185307179586476925286766559 * (x - 0.25 * (shifted - magic));
  vd z = r * r;
  vd p = lanes_of(1.58969099521155010221e-10);
  p = p * z - 2.50507602534068634195e-08;
  p = p * z + 2.75573137070700676789e-06;
  p = p * z - 1.98412698298579493134e-04;
  p = p * z + 8.33333333332248946124e-03;
  p = p * z - 1.66666666666666324348e-01;
  vd s = r + z * r * p;
  p = lanes_of(-1.13596475577881948265e-11);
  p = p * z + 2.08757232129817482790e-09;
  p = p * z - 2.75573143513906633035e-07;
  p = p * z + 2.48015872894767294178e-05;
  p = p * z - 1.38888888888741095749e-03;
  p = p * z + 4.16666666666666019037e-02;
  vd c = 1.0 - (0.5 * z - z * z * p);
  // Quarter turns exchange the two and change signs.
  vq quarter = (vq)shifted;
  auto odd = (quarter & 1u) != 0u;
  vq negative_sin = (quarter & 2u) << 62, negative_cos = ((quarter + 1u) & 2u) << 62;
  cos = (vd)((vq)(odd ? s : c) ^ negative_cos);
  sin = (vd)((vq)(odd ? c : s) ^ negative_sin);
}

// `width` numbers from the counters pair, pair + 1, …
[[gnu::always_inline]] inline void draw(uint64_t key, uint64_t pair, double scale, float* to) {
  PhiloxLanes words;
  words.start(pair, 0);
  philox_rounds(key, words);
  vd cos, sin, radius = sqrt(-2.0 * log(1.0 - uniform(words.c0, words.c1)));
  cos_sin_of_turns(uniform(words.c2, words.c3), cos, sin);
  cos = radius * cos * scale;
  sin = radius * sin * scale;
  constexpr std::make_integer_sequence<int, counters> lanes{};
  vd low = (vd)interleave<0>((vq)cos, (vq)sin, lanes);
  vd high = (vd)interleave<counters / 2>((vq)cos, (vq)sin, lanes);
  vf_half first = __builtin_convertvector(low, vf_half);
  vf_half second = __builtin_convertvector(high, vf_half);
  __builtin_memcpy(to, &first, sizeof first);
  __builtin_memcpy(to + counters, &second, sizeof second);
}

}  // namespace

void random_normal(uint64_t key, int64_t first, int64_t n, double scale, float* to) {
  for_vectors(n, [&](int64_t i, auto lanes) {
    auto pair = static_cast<uint64_t>(first + i) / 2;
    if (lanes == width) return draw(key, pair, scale, to + i);
    float buffer[width];
    draw(key, pair, scale, buffer);
    for (int k = 0; k < lanes; ++k) to[i + k] = buffer[k];
  });
}

}  // namespace anneal::ANNEAL_ISA
