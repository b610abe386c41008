#pragma once

// Vectors of the instruction set that a kernel source is compiled for: 4, 8 or 16 floats. For
// kernel sources (FILE.kernel.cpp) only. Everything lives in namespace anneal::ANNEAL_ISA, so that
// the three builds share no symbol.
//
// Arithmetic and comparisons are the compiler's vector extensions: a * b + c is one fused
// multiply-add where the CPU has it (-ffp-contract=fast), a < b is a mask (vi of 0 and -1), and
// scalars mix with vectors by broadcast().

#include <cstdint>

#include "anneal/base/dtype.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#ifndef ANNEAL_ISA
#error "simd.hpp is for kernel sources, which the build compiles once for each ANNEAL_ISA"
#endif

namespace anneal::ANNEAL_ISA {

#if defined(__AVX512F__)
inline constexpr int width = 16;
#elif defined(__AVX2__)
inline constexpr int width = 8;
#else
inline constexpr int width = 4;
#endif

using vf = float __attribute__((vector_size(4 * width)));
using vi = int32_t __attribute__((vector_size(4 * width)));
using vu = uint32_t __attribute__((vector_size(4 * width)));
using vh = uint16_t __attribute__((vector_size(2 * width)));  // width halves: bits of 16-bit floats

// The whole-vector number of lanes as a type, so that code written for `lanes` lanes compiles to
// the plain whole-vector form. See for_vectors.
struct FullLanes {
  constexpr operator int() const { return width; }
};

// Calls f(i, lanes) for consecutive pieces of [0, n): whole vectors with FullLanes, then one call
// with the remaining 1 … width-1 as an int. f takes (int64_t, auto).
template <class F>
[[gnu::always_inline]] inline void for_vectors(int64_t n, F&& f) {
  int64_t i = 0;
  for (; i + width <= n; i += width) f(i, FullLanes{});
  if (i < n) f(i, static_cast<int>(n - i));
}

[[gnu::always_inline]] inline vf broadcast(float x) { return x - vf{}; }
[[gnu::always_inline]] inline vi broadcast(int32_t x) { return x - vi{}; }

// 0, 1, 2, …
[[gnu::always_inline]] inline vi iota() {
  vi v{};
  for (int i = 0; i < width; ++i) v[i] = i;
  return v;
}

[[gnu::always_inline]] inline vi as_int(vf v) { return (vi)v; }
[[gnu::always_inline]] inline vf as_float(vi v) { return (vf)v; }
[[gnu::always_inline]] inline vf to_float(vi v) { return __builtin_convertvector(v, vf); }
// Towards zero; unspecified outside int32's range.
[[gnu::always_inline]] inline vi truncate(vf v) { return __builtin_convertvector(v, vi); }

// mask ? a : b, lane by lane; each lane of a mask is 0 or -1.
[[gnu::always_inline]] inline vf select(vi mask, vf a, vf b) { return mask ? a : b; }
[[gnu::always_inline]] inline vi select(vi mask, vi a, vi b) { return mask ? a : b; }

#if defined(__AVX512F__)
// The zero-masking intrinsics with every lane on are the plain instructions; g++ 12 warns of an
// uninitialised variable inside the plain intrinsics.
inline constexpr __mmask16 all_lanes = 0xffff;
#endif

// If either operand is NaN the result is b: min(bound, x) and max(bound, x) keep a NaN in x.
[[gnu::always_inline]] inline vf max(vf a, vf b) {
#if defined(__AVX512F__)
  return _mm512_maskz_max_ps(all_lanes, a, b);
#elif defined(__AVX2__)
  return _mm256_max_ps(a, b);
#elif defined(__SSE2__)
  return _mm_max_ps(a, b);
#else
  return a > b ? a : b;
#endif
}
[[gnu::always_inline]] inline vf min(vf a, vf b) {
#if defined(__AVX512F__)
  return _mm512_maskz_min_ps(all_lanes, a, b);
#elif defined(__AVX2__)
  return _mm256_min_ps(a, b);
#elif defined(__SSE2__)
  return _mm_min_ps(a, b);
#else
  return a < b ? a : b;
#endif
}

// a·b + c, fused where the CPU can.
[[gnu::always_inline]] inline vf fma(vf a, vf b, vf c) { return a * b + c; }

[[gnu::always_inline]] inline vf abs(vf v) { return (vf)((vi)v & 0x7fffffff); }

// a's magnitude with b's sign.
[[gnu::always_inline]] inline vf copysign(vf a, vf b) {
  return (vf)(((vi)a & 0x7fffffff) | ((vi)b & INT32_MIN));
}

// Correctly rounded.
[[gnu::always_inline]] inline vf sqrt(vf v) {
#if defined(__AVX512F__)
  return _mm512_maskz_sqrt_ps(all_lanes, v);
#elif defined(__AVX2__)
  return _mm256_sqrt_ps(v);
#elif defined(__SSE2__)
  return _mm_sqrt_ps(v);
#else
  for (int i = 0; i < width; ++i) v[i] = __builtin_sqrtf(v[i]);
  return v;
#endif
}

// All lanes joined by op, which takes two vectors of any width. The order is fixed: the upper half
// is folded onto the lower one until one lane is left.
template <class Op>
[[gnu::always_inline]] inline float fold_lanes(vf v, Op op) {
#if defined(__AVX512F__)
  auto v8 = op(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7),
               __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
#elif defined(__AVX2__)
  auto v8 = v;
#endif
#if defined(__AVX2__)
  auto v4 =
      op(__builtin_shufflevector(v8, v8, 0, 1, 2, 3), __builtin_shufflevector(v8, v8, 4, 5, 6, 7));
#else
  auto v4 = v;
#endif
  v4 = op(v4, __builtin_shufflevector(v4, v4, 2, 3, 2, 3));
  v4 = op(v4, __builtin_shufflevector(v4, v4, 1, 1, 1, 1));
  return v4[0];
}

// Sum, largest and smallest of the lanes. largest and smallest may lose a NaN, hsum never does.
[[gnu::always_inline]] inline float hsum(vf v) {
  return fold_lanes(v, [](auto a, auto b) { return a + b; });
}
[[gnu::always_inline]] inline float largest(vf v) {
  return fold_lanes(v, [](auto a, auto b) { return a > b ? a : b; });
}
[[gnu::always_inline]] inline float smallest(vf v) {
  return fold_lanes(v, [](auto a, auto b) { return a < b ? a : b; });
}

}  // namespace anneal::ANNEAL_ISA

#include "anneal/device/cpu/simd_memory.hpp"
