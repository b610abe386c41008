#include "anneal/device/cpu/math.hpp"
#include "anneal/device/cpu/simd.hpp"
#include "anneal/device/cpu/simd_product.hpp"
#include "anneal/ops/attention_cached/decode_kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

constexpr int64_t block = 64;  // keys whose scores are held at a time
constexpr int most_heads = 4;  // that a pass over a block serves

// The caches are two streams, read a block of each by turns: while one is read, what will be read
// of the other is asked for.
template <class T>
[[gnu::always_inline]] inline void prefetch_row(const T* row, int64_t dim) {
  for (int64_t c = 0; c < dim; c += 64 / static_cast<int64_t>(sizeof(T)))
    __builtin_prefetch(row + c);
}

// scores[h][key] = q_h·k_key. A step's accumulators, one for each head and key, fit the registers
// of AVX2 beside a key's vector.
template <int Heads, class T>
[[gnu::always_inline]] inline void score_keys(const DecodeTile& t, const float* q, const T* k,
                                              const T* v, int64_t keys,
                                              float (&scores)[Heads][block]) {
  auto step = [&](int64_t first, auto count) {
    constexpr int keys_of_step = count;
    for (int j = 0; j < keys_of_step; ++j) prefetch_row(v + (first + j) * t.dim, t.dim);
    vf acc[Heads][keys_of_step] = {};
    for_vectors(t.dim, [&](int64_t c, auto lanes) {
      vf key[keys_of_step];
      for (int j = 0; j < keys_of_step; ++j) key[j] = load(k + (first + j) * t.dim + c, lanes);
      for (int h = 0; h < Heads; ++h) {
        vf query = load(q + h * t.padded + c);
        for (int j = 0; j < keys_of_step; ++j) acc[h][j] = fma(query, key[j], acc[h][j]);
      }
    });
    for (int h = 0; h < Heads; ++h)
      for (int j = 0; j < keys_of_step; ++j) scores[h][first + j] = hsum(acc[h][j]);
  };
  constexpr int keys_of_step = Heads <= 2 ? 4 : 2;
  int64_t key = 0;
  for (; key + keys_of_step <= keys; key += keys_of_step) step(key, Count<keys_of_step>{});
  for (; key < keys; ++key) step(key, Count<1>{});
}

// sum_v[h] = sum_v[h]·shrink[h] + Σ scores[h][key]·v_key.
template <int Heads, class T>
[[gnu::always_inline]] inline void add_values(const DecodeTile& t, const T* v, const T* next_k,
                                              int64_t next_keys, int64_t keys,
                                              const float (&scores)[Heads][block],
                                              const float (&shrink)[Heads], float* sum_v) {
  auto panel = [&](int64_t c, auto count, auto lanes) {
    constexpr int N = count;
    vf acc[Heads][N];
    for (int h = 0; h < Heads; ++h)
      for (int n = 0; n < N; ++n)
        acc[h][n] = load(sum_v + h * t.padded + c + n * width) * shrink[h];
    const T* row = v + c;
    for (int64_t key = 0; key < keys; ++key, row += t.dim) {
      if (c == 0 && key < next_keys) prefetch_row(next_k + key * t.dim, t.dim);
      for (int n = 0; n < N; ++n) {
        vf value = load(row + n * width, lanes);
        for (int h = 0; h < Heads; ++h)
          acc[h][n] = fma(broadcast(scores[h][key]), value, acc[h][n]);
      }
    }
    for (int h = 0; h < Heads; ++h)
      for (int n = 0; n < N; ++n) store(sum_v + h * t.padded + c + n * width, acc[h][n]);
  };
  constexpr int N = Heads == 1 ? 8 : Heads <= 3 ? 4 : 2;
  int64_t c = 0;
  for (; c + N * width <= t.dim; c += N * width) panel(c, Count<N>{}, FullLanes{});
  for_vectors(t.dim - c, [&](int64_t at, auto lanes) { panel(c + at, Count<1>{}, lanes); });
}

template <int Heads, class T>
[[gnu::always_inline]] inline void attend_heads(const DecodeTile& t, int64_t first, Tag<T>) {
  const float* q = t.q + first * t.padded;
  float* sum_v = t.sum_v + first * t.padded;
  float top[Heads], sum[Heads];
  for (int h = 0; h < Heads; ++h) {
    top[h] = -__builtin_inff();
    sum[h] = 0;
    for (int64_t c = 0; c < t.padded; c += width) store(sum_v + h * t.padded + c, vf{});
  }
  alignas(64) float scores[Heads][block];
  for (int64_t key = 0; key < t.keys; key += block) {
    int64_t keys = t.keys - key < block ? t.keys - key : block;
    const T* k = static_cast<const T*>(t.k) + key * t.dim;
    const T* v = static_cast<const T*>(t.v) + key * t.dim;
    score_keys<Heads>(t, q, k, v, keys, scores);
    float shrink[Heads];
    for (int h = 0; h < Heads; ++h) {
      vf most = broadcast(top[h]);
      for_vectors(keys, [&](int64_t i, auto lanes) {
        most = max(most, load(scores[h] + i, lanes, top[h]));
      });
      float now = largest(most);
      // Before the first block there is nothing to shrink.
      shrink[h] = key == 0 ? 0 : exp(broadcast(top[h] - now))[0];
      vf total{};
      for_vectors(keys, [&](int64_t i, auto lanes) {
        vf p = exp(load(scores[h] + i, lanes, -__builtin_inff()) - now);
        store(scores[h] + i, p, lanes);
        total += p;
      });
      top[h] = now;
      sum[h] = sum[h] * shrink[h] + hsum(total);
    }
    int64_t left = t.keys - key - keys, next_keys = left < block ? left : block;
    add_values<Heads>(t, v, k + keys * t.dim, next_keys, keys, scores, shrink, sum_v);
  }
  for (int h = 0; h < Heads; ++h) {
    t.largest[first + h] = top[h];
    t.sum[first + h] = sum[h];
  }
}

void attend(const DecodeTile& t) {
  visit_stored(t.cache, [&](auto type) {
    int64_t h = 0;
    for (; h + most_heads <= t.heads; h += most_heads) attend_heads<most_heads>(t, h, type);
    switch (t.heads - h) {
      case 1:
        return attend_heads<1>(t, h, type);
      case 2:
        return attend_heads<2>(t, h, type);
      case 3:
        return attend_heads<3>(t, h, type);
      default:
        return;
    }
  });
}

void join(const DecodeParts& j) {
  float top = -__builtin_inff(), sum = 0;
  for (int64_t p = 0; p < j.parts; ++p) {
    float x = j.largest[p * j.stride];
    top = x > top ? x : top;
  }
  for (int64_t c = 0; c < j.padded; c += width) store(j.out + c, vf{});
  for (int64_t p = 0; p < j.parts; ++p) {
    vf factor = exp(broadcast(j.largest[p * j.stride] - top));
    sum += j.sum[p * j.stride] * factor[0];
    const float* from = j.sum_v + p * j.stride * j.padded;
    for (int64_t c = 0; c < j.padded; c += width)
      store(j.out + c, fma(load(from + c), factor, load(j.out + c)));
  }
  // A position beyond the cache may see no key at all.
  vf inverse = broadcast(sum == 0 ? 0 : 1.0f / sum);
  for (int64_t c = 0; c < j.padded; c += width) store(j.out + c, load(j.out + c) * inverse);
}

}  // namespace

const DecodeKernels decode = {attend, join};

}  // namespace anneal::ANNEAL_ISA
