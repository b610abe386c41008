#pragma once

// Register-blocked products of small f32 matrices, for kernel sources; see device/cpu/simd.hpp.

#include "anneal/device/cpu/simd.hpp"

namespace anneal::ANNEAL_ISA {

template <int N>
struct Count {
  constexpr operator int() const { return N; }
};

// 6 rows × 2 vectors of accumulators fill the 16 registers of SSE and AVX2; 6 × 4 the 32 of
// AVX-512.
inline constexpr int product_rows = 6;
inline constexpr int product_vectors = width == 16 ? 4 : 2;

// Calls f(first, Count<n>) for consecutive groups of at most product_rows rows; the last two share
// their rows evenly, since a group of one or two rows cannot keep the multipliers busy.
template <class F>
[[gnu::always_inline]] inline void for_row_groups(int64_t rows, F&& f) {
  int64_t r = 0;
  for (; rows - r >= 2 * product_rows; r += product_rows) f(r, Count<product_rows>{});
  while (r < rows) {
    int64_t left = rows - r, n = left > product_rows ? (left + 1) / 2 : left;
    switch (n) {
      case 1:
        f(r, Count<1>{});
        break;
      case 2:
        f(r, Count<2>{});
        break;
      case 3:
        f(r, Count<3>{});
        break;
      case 4:
        f(r, Count<4>{});
        break;
      case 5:
        f(r, Count<5>{});
        break;
      default:
        f(r, Count<product_rows>{});
        break;
    }
    r += n;
  }
}

// Calls f(first, Count<n>) for consecutive panels of at most product_vectors vectors.
template <class F>
[[gnu::always_inline]] inline void for_panels(int64_t vectors, F&& f) {
  int64_t v = 0;
  for (; v + product_vectors <= vectors; v += product_vectors) f(v, Count<product_vectors>{});
  if constexpr (product_vectors > 2) {
    switch (vectors - v) {
      case 1:
        return f(v, Count<1>{});
      case 2:
        return f(v, Count<2>{});
      case 3:
        return f(v, Count<3>{});
      default:
        return;
    }
  } else {
    if (v < vectors) f(v, Count<1>{});
  }
}

// acc[m][n] += Σ_i a[m·a_row + i·a_step] · b[i·b_step + n·width …], i below `length`.
template <int M, int N>
[[gnu::always_inline]] inline void multiply(const float* a, int64_t a_row, int64_t a_step,
                                            const float* b, int64_t b_step, int64_t length,
                                            vf (&acc)[M][N]) {
  for (int64_t i = 0; i < length; ++i) {
    vf column[N];
    for (int n = 0; n < N; ++n) column[n] = load(b + n * width);
    for (int m = 0; m < M; ++m) {
      vf x = broadcast(a[m * a_row]);
      for (int n = 0; n < N; ++n) acc[m][n] = fma(x, column[n], acc[m][n]);
    }
    a += a_step;
    b += b_step;
  }
}

}  // namespace anneal::ANNEAL_ISA
