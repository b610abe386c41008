#pragma once

// Loads and stores of simd.hpp's vectors, which includes this file. Addresses need no alignment.
// Where a number of lanes is given, only that many elements are touched (1 … width).

#include "anneal/device/cpu/simd.hpp"

namespace anneal::ANNEAL_ISA {

template <class V, class T>
[[gnu::always_inline]] inline V load_bytes(const T* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
[[gnu::always_inline]] inline vf load(const float* p) { return load_bytes<vf>(p); }
[[gnu::always_inline]] inline vi load(const int32_t* p) { return load_bytes<vi>(p); }
[[gnu::always_inline]] inline void store(float* p, vf v) { __builtin_memcpy(p, &v, sizeof v); }
[[gnu::always_inline]] inline void store(int32_t* p, vi v) { __builtin_memcpy(p, &v, sizeof v); }

// The 16-bit floats that values are stored in.
template <class T>
concept Low = __is_same(T, bf16) || __is_same(T, f16);

// Calls f(Tag<T>{}) with the C++ type of f32 or a 16-bit float.
template <class F>
[[gnu::always_inline]] inline void visit_stored(DType dtype, F&& f) {
  if (dtype == DType::bf16)
    f(Tag<bf16>{});
  else if (dtype == DType::f16)
    f(Tag<f16>{});
  else
    f(Tag<float>{});
}

// Bits of 16-bit floats to floats: exact.
[[gnu::always_inline]] inline vf widen(vh bits, Tag<bf16>) {
#if defined(__AVX512F__)
  vu wide = (vu)_mm512_maskz_cvtepu16_epi32(all_lanes, (__m256i)bits);
#elif defined(__AVX2__)
  vu wide = (vu)_mm256_cvtepu16_epi32((__m128i)bits);
#else
  vu wide = __builtin_convertvector(bits, vu);
#endif
  return (vf)(wide << 16);
}
[[gnu::always_inline]] inline vf widen(vh bits, Tag<f16>) {
#if defined(__AVX512F__)
  return _mm512_maskz_cvtph_ps(all_lanes, (__m256i)bits);
#elif defined(__AVX2__)
  return _mm256_cvtph_ps((__m128i)bits);
#else
  f16 from[width];
  float to[width];
  __builtin_memcpy(static_cast<void*>(from), &bits, sizeof bits);
  for (int i = 0; i < width; ++i) to[i] = static_cast<float>(from[i]);
  return load(to);
#endif
}

// Floats to bits of a 16-bit float, the same as T(float): to nearest even, NaN stays NaN, denormals
// are kept (the AVX512_BF16 instruction flushes them, so it is not used).
[[gnu::always_inline]] inline vh narrow(vf v, Tag<bf16>) {
  vu u = (vu)v;
  vu rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  vu quiet = (u >> 16) | 0x40u;
  vu bits = (vu)select(v == v, (vi)rounded, (vi)quiet);
#if defined(__AVX512F__)
  return (vh)_mm512_maskz_cvtepi32_epi16(all_lanes, (__m512i)bits);
#elif defined(__AVX2__)
  __m256i packed = _mm256_packus_epi32((__m256i)bits, (__m256i)bits);
  return (vh)_mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08));
#else
  return __builtin_convertvector(bits, vh);
#endif
}
[[gnu::always_inline]] inline vh narrow(vf v, Tag<f16>) {
#if defined(__AVX512F__)
  return (vh)_mm512_maskz_cvtps_ph(all_lanes, v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(__AVX2__)
  return (vh)_mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT);
#else
  f16 to[width];
  for (int i = 0; i < width; ++i) to[i] = f16(static_cast<float>(v[i]));
  return load_bytes<vh>(to);
#endif
}

template <Low T>
[[gnu::always_inline]] inline vf load(const T* p) {
  return widen(load_bytes<vh>(p), Tag<T>{});
}
template <Low T>
[[gnu::always_inline]] inline void store(T* p, vf v) {
  vh bits = narrow(v, Tag<T>{});
  __builtin_memcpy(static_cast<void*>(p), &bits, sizeof bits);
}

// One element.
[[gnu::always_inline]] inline float load_scalar(const float* p) { return *p; }
[[gnu::always_inline]] inline float load_scalar(const bf16* p) {
  return __builtin_bit_cast(float, uint32_t{p->bits} << 16);
}
[[gnu::always_inline]] inline float load_scalar(const f16* p) {
#if defined(__F16C__)
  return _cvtsh_ss(p->bits);
#else
  return static_cast<float>(*p);
#endif
}
[[gnu::always_inline]] inline void store_scalar(float* p, float x) { *p = x; }
[[gnu::always_inline]] inline void store_scalar(bf16* p, float x) {
  uint32_t u = __builtin_bit_cast(uint32_t, x);
  uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  p->bits = static_cast<uint16_t>(x == x ? rounded : ((u >> 16) | 0x40u));
}
[[gnu::always_inline]] inline void store_scalar(f16* p, float x) {
#if defined(__F16C__)
  p->bits = _cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT);
#else
  *p = f16(x);
#endif
}

#if defined(__AVX512F__)
[[gnu::always_inline]] inline __mmask16 first_lanes(int lanes) {
  return static_cast<__mmask16>((1u << lanes) - 1u);
}
#elif defined(__AVX2__)
[[gnu::always_inline]] inline __m256i first_lanes(int lanes) {
  return (__m256i)(iota() < broadcast(static_cast<int32_t>(lanes)));
}
#endif

// The first `lanes` elements; the other lanes are `fill`.
[[gnu::always_inline]] inline vf load(const float* p, int lanes, float fill = 0.0f) {
  if (lanes == width) return load(p);
#if defined(__AVX512F__)
  return _mm512_mask_loadu_ps(broadcast(fill), first_lanes(lanes), p);
#elif defined(__AVX2__)
  __m256i mask = first_lanes(lanes);
  return _mm256_blendv_ps(broadcast(fill), _mm256_maskload_ps(p, mask), (__m256)mask);
#else
  float buffer[width];
  for (int i = 0; i < width; ++i) buffer[i] = i < lanes ? p[i] : fill;
  return load(buffer);
#endif
}
template <Low T>
[[gnu::always_inline]] inline vf load(const T* p, int lanes, float fill = 0.0f) {
  if (lanes == width) return load(p);
  float buffer[width];
  for (int i = 0; i < width; ++i) buffer[i] = fill;
  for (int i = 0; i < lanes; ++i) buffer[i] = load_scalar(p + i);
  return load(buffer);
}

[[gnu::always_inline]] inline void store(float* p, vf v, int lanes) {
  if (lanes == width) return store(p, v);
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, first_lanes(lanes), v);
#elif defined(__AVX2__)
  _mm256_maskstore_ps(p, first_lanes(lanes), v);
#else
  for (int i = 0; i < lanes; ++i) p[i] = v[i];
#endif
}
template <Low T>
[[gnu::always_inline]] inline void store(T* p, vf v, int lanes) {
  if (lanes == width) return store(p, v);
  float buffer[width];
  store(buffer, v);
  for (int i = 0; i < lanes; ++i) store_scalar(p + i, buffer[i]);
}

// Stores past the caches where p is aligned to a whole vector, for results that are not read again
// soon. A kernel that streams calls stream_fence() before it returns.
[[gnu::always_inline]] inline void stream(float* p, vf v) {
#if defined(__SSE2__)
  if (reinterpret_cast<uintptr_t>(p) % sizeof(vf) == 0) {
#if defined(__AVX512F__)
    _mm512_stream_ps(p, v);
#elif defined(__AVX2__)
    _mm256_stream_ps(p, v);
#else
    _mm_stream_ps(p, v);
#endif
    return;
  }
#endif
  store(p, v);
}
[[gnu::always_inline]] inline void stream_fence() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

}  // namespace anneal::ANNEAL_ISA
