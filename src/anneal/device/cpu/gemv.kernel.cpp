#include "anneal/device/cpu/gemv_kernel.hpp"
#include "anneal/device/cpu/simd.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

// Stored rows at a time: as many streams as keep memory busy. Each goes through rows that follow
// one another, since streams of a row's length end before the prefetcher has learnt them.
constexpr int rows_at_once = 4;

// y (+)= x[k]·b[k] + x[k+step]·b[k+step] + …, rows of B. y stays in the first-level cache.
template <int Rows, class T>
[[gnu::always_inline]] inline void add_rows(const GemvPart& part, const T* b, int64_t k,
                                            int64_t step) {
  vf x[Rows];
  for (int r = 0; r < Rows; ++r) x[r] = broadcast(part.x[k + r * step]);
  const T* row = b + k * part.leading;
  int64_t stride = step * part.leading;
  for_vectors(part.n, [&](int64_t n, auto lanes) {
    vf sum = k == 0 ? vf{} : load(part.y + n, lanes);
    for (int r = 0; r < Rows; ++r) sum = fma(x[r], load(row + r * stride + n, lanes), sum);
    store(part.y + n, sum, lanes);
  });
}

template <class T>
void rows_along_n(const GemvPart& part, const T* b) {
  int64_t step = part.k / rows_at_once;
  for (int64_t k = 0; k < step; ++k) add_rows<rows_at_once>(part, b, k, step);
  for (int64_t k = step * rows_at_once; k < part.k; ++k) add_rows<1>(part, b, k, 1);
}

// The rows n, n + step, n + 2·step, …
template <int Rows, class T>
[[gnu::always_inline]] inline void dot_rows(const GemvPart& part, const T* b, int64_t n,
                                            int64_t step) {
  vf sum[Rows][2] = {};
  const T* row = b + n * part.leading;
  int64_t stride = step * part.leading;
  int64_t k = 0;
  for (; k + 2 * width <= part.k; k += 2 * width)
    for (int r = 0; r < Rows; ++r)
      for (int v = 0; v < 2; ++v)
        sum[r][v] =
            fma(load(part.x + k + v * width), load(row + r * stride + k + v * width), sum[r][v]);
  for_vectors(part.k - k, [&](int64_t at, auto lanes) {
    for (int r = 0; r < Rows; ++r)
      sum[r][0] =
          fma(load(part.x + k + at, lanes), load(row + r * stride + k + at, lanes), sum[r][0]);
  });
  for (int r = 0; r < Rows; ++r) part.y[n + r * step] = hsum(sum[r][0] + sum[r][1]);
}

template <class T>
void rows_along_k(const GemvPart& part, const T* b) {
  int64_t step = part.n / rows_at_once;
  for (int64_t n = 0; n < step; ++n) dot_rows<rows_at_once>(part, b, n, step);
  for (int64_t n = step * rows_at_once; n < part.n; ++n) dot_rows<1>(part, b, n, 1);
}

void along_n(const GemvPart& part) {
  visit_stored(part.dtype,
               [&]<class T>(Tag<T>) { rows_along_n(part, static_cast<const T*>(part.b)); });
}

void along_k(const GemvPart& part) {
  visit_stored(part.dtype,
               [&]<class T>(Tag<T>) { rows_along_k(part, static_cast<const T*>(part.b)); });
}

}  // namespace

const GemvKernels gemv = {along_n, along_k};

}  // namespace anneal::ANNEAL_ISA
