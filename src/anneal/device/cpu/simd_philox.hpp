#pragma once

#include <utility>

#include "anneal/device/cpu/simd.hpp"

// Philox in vector lanes, and what dropout makes of it.

namespace anneal::ANNEAL_ISA {
namespace {

constexpr int counters = width / 2;  // in a vector of 64-bit lanes
using vq = uint64_t __attribute__((vector_size(4 * width)));

[[gnu::always_inline]] inline vq lanes_of(uint64_t x) { return x - vq{}; }

// The 64-bit products of the lower halves of the lanes; the upper halves do not matter.
[[gnu::always_inline]] inline vq multiply_low(vq a, uint32_t factor) {
  vq b = lanes_of(factor);
#if defined(__AVX512F__)
  return (vq)_mm512_maskz_mul_epu32(0xff, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (vq)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
  return (vq)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
  return (a & 0xffffffffu) * b;
#endif
}

// Lanes First, First+1, … of a, each followed by b's.
template <int First, int... I>
[[gnu::always_inline]] inline vq interleave(vq a, vq b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (First + I / 2 + (I % 2 ? counters : 0))...);
}

// Philox4x32-10 of base/rng.hpp in the lower halves of 64-bit lanes, whose upper halves hold
// leftovers that no product reads.
struct PhiloxLanes {
  vq c0, c1, c2, c3;

  [[gnu::always_inline]] void start(uint64_t first, uint64_t sample) {
    vq lane{};
    for (int i = 0; i < counters; ++i) lane[i] = static_cast<uint64_t>(i);
    c0 = first + lane;
    c1 = c0 >> 32;
    c2 = lanes_of(sample);
    c3 = c2 >> 32;
  }
  [[gnu::always_inline]] void round(uint32_t k0, uint32_t k1) {
    vq p0 = multiply_low(c0, 0xD2511F53u), p1 = multiply_low(c2, 0xCD9E8D57u);
    c0 = (p1 >> 32) ^ c1 ^ lanes_of(k0);
    c2 = (p0 >> 32) ^ c3 ^ lanes_of(k1);
    c1 = p1;
    c3 = p0;
  }
  // The words in the order of elements: word j of counter i is element 4·i + j.
  [[gnu::always_inline]] void words(vu& first, vu& second) const {
    vq low = (c0 & 0xffffffffu) | (c1 << 32), high = (c2 & 0xffffffffu) | (c3 << 32);
    constexpr std::make_integer_sequence<int, counters> lanes{};
    first = (vu)interleave<0>(low, high, lanes);
    second = (vu)interleave<counters / 2>(low, high, lanes);
  }
};

// All ten rounds of several sets of lanes side by side, which hides the latency of their products.
template <class... Lanes>
[[gnu::always_inline]] inline void philox_rounds(uint64_t key, Lanes&... lanes) {
  auto k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    (lanes.round(k0, k1), ...);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

constexpr int mask_vectors = 4;

// What elements e … e + mask_vectors·width − 1 of a stream are multiplied by when each is dropped
// with probability threshold·2^-24: 0 or `scale`. e is a multiple of 4; element e is dropped iff
// the upper 24 bits of word e%4 of philox(key, e/4, sample) are below the threshold.
[[gnu::always_inline]] inline void drop_factors(uint64_t key, uint64_t sample, int64_t e,
                                                uint32_t threshold, float scale,
                                                vf (&out)[mask_vectors]) {
  PhiloxLanes a, b;
  auto counter = static_cast<uint64_t>(e / 4);
  a.start(counter, sample);
  b.start(counter + counters, sample);
  philox_rounds(key, a, b);
  vu words[mask_vectors];
  a.words(words[0], words[1]);
  b.words(words[2], words[3]);
  for (int i = 0; i < mask_vectors; ++i)
    out[i] = select((vi)(words[i] >> 8) >= broadcast(static_cast<int32_t>(threshold)),
                    broadcast(scale), vf{});
}

}  // namespace
}  // namespace anneal::ANNEAL_ISA
