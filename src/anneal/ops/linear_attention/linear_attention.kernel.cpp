#include "anneal/device/cpu/simd.hpp"
#include "anneal/device/cpu/simd_product.hpp"
#include "anneal/ops/linear_attention/kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

void multiply_chunk(const ChunkProduct& p) {
  for_row_groups(p.rows, [&](int64_t r, auto count) {
    constexpr int M = count;
    int64_t first = 0, end = p.length;
    if (p.terms == ChunkProduct::from_row) first = r;
    if (p.terms == ChunkProduct::up_to_row && r + M < end) end = r + M;
    const float* a = p.a + r * p.a_row + first * p.a_step;
    float* out = p.out + r * p.out_row;
    for_panels(p.columns / width, [&](int64_t v, auto n_vectors) {
      constexpr int N = n_vectors;
      vf acc[M][N] = {};
      if (p.add)
        for (int m = 0; m < M; ++m)
          for (int n = 0; n < N; ++n) acc[m][n] = load(out + m * p.out_row + (v + n) * width);
      multiply(a, p.a_row, p.a_step, p.b + first * p.b_step + v * width, p.b_step, end - first,
               acc);
      for (int m = 0; m < M; ++m)
        for (int n = 0; n < N; ++n) store(out + m * p.out_row + (v + n) * width, acc[m][n]);
    });
  });
}

// x in the lanes of the vector at key `s` that row t sees, 0 in the others.
[[gnu::always_inline]] inline vf seen(int64_t t, int64_t s, vf x) {
  if (s + width <= t + 1) return x;
  return select(iota() <= broadcast(static_cast<int32_t>(t - s)), x, vf{});
}

void weights(const float* x, int64_t n, int64_t ld, float* w) {
  for (int64_t t = 0; t < n; ++t, x += ld, w += ld)
    for (int64_t s = 0; s < ld; s += width) {
      vf score = load(x + s);
      store(w + s, seen(t, s, score * (score * 0.5f + 1.0f) + 1.0f));
    }
}

void score_gradients(const float* x, int64_t n, int64_t ld, float* dw) {
  for (int64_t t = 0; t < n; ++t, x += ld, dw += ld)
    for (int64_t s = 0; s < ld; s += width)
      store(dw + s, seen(t, s, load(dw + s) * (load(x + s) + 1.0f)));
}

void features(const float* x, int64_t n, int64_t f, int64_t padded, float square, float* to,
              int64_t columns) {
  // What a vector store writes beyond its part is overwritten by the next one.
  for (int64_t r = 0; r < n; ++r, x += padded, to += columns) {
    for_vectors(f, [&](int64_t i, auto lanes) { store(to + i, load(x + i, lanes)); });
    float* pairs = to + f;
    for (int64_t i = 0; i < f; ++i) {
      for_vectors(f - i,
                  [&](int64_t j, auto lanes) { store(pairs + j, load(x + i + j, lanes) * x[i]); });
      pairs[0] *= square;
      pairs += f - i;
    }
    *pairs++ = 1;
    while (pairs < to + columns) *pairs++ = 0;
  }
}

void features_gradient(float* d, int64_t columns, const float* x, int64_t n, int64_t f,
                       int64_t padded, float square, float* dx) {
  for (int64_t r = 0; r < n; ++r, d += columns, x += padded, dx += padded) {
    for_vectors(f, [&](int64_t i, auto lanes) {
      store(dx + i, load(dx + i, lanes) + load(d + i, lanes), lanes);
    });
    float* pairs = d + f;
    for (int64_t i = 0; i < f; ++i) {
      // Pair (i, j) contributes d·x_i to dx_j and d·x_j to dx_i, a square both to dx_i.
      pairs[0] *= square;
      vf sum{};
      for_vectors(f - i, [&](int64_t j, auto lanes) {
        vf pair = load(pairs + j, lanes);
        sum += pair * load(x + i + j, lanes);
        store(dx + i + j, load(dx + i + j, lanes) + pair * x[i], lanes);
      });
      dx[i] += hsum(sum);
      pairs += f - i;
    }
  }
}

void normalise(float* rows, int64_t n, int64_t d, int64_t padded, float* norm) {
  for (int64_t t = 0; t < n; ++t, rows += padded) {
    norm[t] = rows[d];
    float inverse = 1.0f / rows[d];
    for (int64_t c = 0; c < padded; c += width) store(rows + c, load(rows + c) * inverse);
  }
}

void normalise_gradient(float* g, const float* out, const float* norm, int64_t n, int64_t d,
                        int64_t padded) {
  for (int64_t t = 0; t < n; ++t, g += padded, out += padded) {
    float inverse = 1.0f / norm[t];
    vf sum{};
    for_vectors(d, [&](int64_t c, auto lanes) {
      vf scaled = load(g + c, lanes) * inverse;
      sum += scaled * load(out + c, lanes);
      store(g + c, scaled, lanes);
    });
    g[d] = -hsum(sum);
  }
}

}  // namespace

const LinearAttentionKernels linear_attention = {
    multiply_chunk,    weights,   score_gradients,   features,
    features_gradient, normalise, normalise_gradient};

}  // namespace anneal::ANNEAL_ISA
