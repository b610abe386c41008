#include "anneal/device/cpu/math.hpp"
#include "anneal/device/cpu/simd.hpp"
#include "anneal/device/cpu/simd_philox.hpp"
#include "anneal/device/cpu/simd_product.hpp"
#include "anneal/device/cpu/simd_transpose.hpp"
#include "anneal/ops/attention/kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

constexpr float infinity = __builtin_inff();
constexpr float finite = __FLT_MAX__;

[[gnu::always_inline]] inline int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }
[[gnu::always_inline]] inline int64_t vectors_of(int64_t n) { return (n + width - 1) / width; }

[[gnu::always_inline]] inline int64_t offset(const AttentionRows& rows, int64_t r) {
  if (rows.group == 1) return r * rows.stride;
  return r / rows.group * rows.stride + r % rows.group * rows.inner;
}

// Calls f with a typed pointer to row r.
template <class F>
[[gnu::always_inline]] inline void with_row(const AttentionRows& rows, int64_t r, F&& f) {
  visit_stored(rows.dtype,
               [&]<class T>(Tag<T>) { f(static_cast<T*>(rows.data) + offset(rows, r)); });
}

// e^x for x <= 88 with 0 in place of results below 2^-126; 1 at 0; NaN stays NaN.
[[gnu::always_inline]] inline vf exp_or_zero(vf x) {
  ExpParts e = exp_parts(max(broadcast(-87.0f), x));
  return select(x < -87.0f, vf{}, e.p * power_of_two(e.n));
}

// The keys [first, limit) of a tile that a row sees.
struct Seen {
  int64_t first, limit;
  [[gnu::always_inline]] bool all(int64_t key) const {
    return key >= first && key + width <= limit;
  }
  // x in the lanes of the vector at `key` whose keys are seen, `otherwise` in the others.
  [[gnu::always_inline]] vf pick(int64_t key, vf x, vf otherwise) const {
    vi lane = iota();
    vf seen = select(lane < broadcast(static_cast<int32_t>(limit - key)), x, otherwise);
    return select(lane < broadcast(static_cast<int32_t>(first - key)), otherwise, seen);
  }
};

// … by query i of a tile, whose own key is `own`.
[[gnu::always_inline]] inline Seen seen_by(const AttentionReach& reach, int64_t i, int64_t own,
                                           int64_t keys) {
  return {reach.first_key(i, own), at_most(keys, own + 1)};
}

void load_rows(const AttentionRows& from, int64_t first, int64_t n, int64_t dim, float scale,
               float* to, int64_t padded) {
  for (int64_t r = 0; r < n; ++r) {
    float* row = to + r * padded;
    with_row(from, first + r, [&](const auto* p) {
      for_vectors(dim, [&](int64_t c, auto lanes) { store(row + c, load(p + c, lanes) * scale); });
    });
    // The last store above may have reached into the padding, never beyond it.
    for (int64_t c = vectors_of(dim) * width; c < padded; c += width) store(row + c, vf{});
  }
}

void load_transposed(const AttentionRows& from, int64_t first, int64_t n, int64_t dim, float* to,
                     int64_t ld) {
  with_row(from, first, [&](const auto* p) {
    for (int64_t r = 0; r < ld; r += width) {
      for_vectors(dim, [&](int64_t c, auto lanes) {
        vf square[width];
        if (r + width <= n)
          for (int i = 0; i < width; ++i) square[i] = load(p + (r + i) * from.stride + c, lanes);
        else
          for (int i = 0; i < width; ++i)
            square[i] = r + i < n ? load(p + (r + i) * from.stride + c, lanes) : vf{};
        transpose(square);
        for (int i = 0; i < lanes; ++i) store(to + (c + i) * ld + r, square[i]);
      });
    }
  });
}

void store_rows(const float* from, int64_t from_stride, const AttentionRows& to, int64_t first,
                int64_t n, int64_t dim) {
  for (int64_t r = 0; r < n; ++r)
    with_row(to, first + r, [&](auto* p) {
      for_vectors(dim, [&](int64_t c, auto lanes) {
        store(p + c, load(from + r * from_stride + c, lanes), lanes);
      });
    });
}

// Calls f(v, factor) with what the weights of vector v of a row are multiplied by, for `vectors` of
// them.
template <class F>
[[gnu::always_inline]] inline void for_drop_factors(const AttentionDropout& d, int64_t group,
                                                    int64_t r, int64_t vectors, F&& f) {
  int64_t head = d.head + r % group, position = d.position + r / group;
  int64_t e = (head * d.positions + position) * d.row + d.key;
  for (int64_t v = 0; v < vectors; v += mask_vectors) {
    vf factors[mask_vectors];
    drop_factors(d.stream, d.sample, e + v * width, d.threshold, d.scale, factors);
    for (int i = 0; i < mask_vectors && v + i < vectors; ++i) f(v + i, factors[i]);
  }
}

// Rows r0 … r0+M-1 of a tile: scores, running softmax, then the product with the values.
template <int M>
[[gnu::always_inline]] inline void forward_rows(const AttentionForwardTile& t, int64_t r0) {
  Seen seen[M];
  for (int m = 0; m < M; ++m) {
    int64_t query = t.group == 1 ? r0 + m : (r0 + m) / t.group;
    seen[m] = seen_by(t.reach, query, t.visible - 1 + query, t.keys);
  }
  int64_t keys = seen[M - 1].limit;
  if (keys <= 0 || seen[0].first >= keys) return;
  int64_t vectors = vectors_of(keys);

  for_panels(vectors, [&](int64_t v, auto n_vectors) {
    constexpr int N = n_vectors;
    vf acc[M][N] = {};
    multiply(t.q + r0 * t.padded, t.padded, 1, t.kt + v * width, t.ld, t.dim, acc);
    for (int m = 0; m < M; ++m)
      for (int n = 0; n < N; ++n) store(t.scores + m * t.ld + (v + n) * width, acc[m][n]);
  });
  // Later rows see no earlier keys, and no fewer.
  bool whole = seen[M - 1].first <= 0 && vectors * width <= seen[0].limit;
  if (!whole)
    for (int m = 0; m < M; ++m)
      for (int64_t v = 0; v < vectors; ++v) {
        float* s = t.scores + m * t.ld + v * width;
        store(s, seen[m].pick(v * width, load(s), broadcast(-infinity)));
      }

  // One lane a row.
  constexpr int row_vectors = (M + width - 1) / width;
  float old_largest[row_vectors * width], new_largest[row_vectors * width];
  float shrink[row_vectors * width];
  for (int m = 0; m < row_vectors * width; ++m) old_largest[m] = new_largest[m] = 0;
  for (int m = 0; m < M; ++m) {
    const float* s = t.scores + m * t.ld;
    vf most = load(s);
    for (int64_t v = 1; v < vectors; ++v) most = max(most, load(s + v * width));
    old_largest[m] = t.largest[r0 + m];
    new_largest[m] = largest(most);
  }
  for (int v = 0; v < row_vectors; ++v) {
    vf before_tile = load(old_largest + v * width);
    vf now = max(before_tile, load(new_largest + v * width));
    store(new_largest + v * width, now);
    // A row that has seen no key yet has the largest −∞, and sums of 0 whatever their factor.
    store(shrink + v * width, exp_or_zero(before_tile - max(broadcast(-finite), now)));
  }
  // What a row does not see is −∞. A row that has seen nothing yet adds nothing; one that sees
  // nothing but scores of −∞ becomes NaN. A row's exponentials follow each other too closely to
  // overlap: those of all rows are taken together.
  vf totals[M] = {};
  for (int64_t v = 0; v < vectors; ++v)
    for (int m = 0; m < M; ++m) {
      bool nothing = old_largest[m] == -infinity && seen[m].first >= seen[m].limit;
      vf top = broadcast(nothing ? 0.0f : new_largest[m]);
      float* s = t.scores + m * t.ld + v * width;
      vf p = exp_or_zero(load(s) - top);
      store(s, p);
      totals[m] += p;
    }
  for (int m = 0; m < M; ++m) {
    float* s = t.scores + m * t.ld;
    if (t.dropout.threshold > 0)
      for_drop_factors(t.dropout, t.group, r0 + m, vectors, [&](int64_t v, vf factor) {
        store(s + v * width, load(s + v * width) * factor);
      });
    t.largest[r0 + m] = new_largest[m];
    t.sum[r0 + m] = t.sum[r0 + m] * shrink[m] + hsum(totals[m]);
  }

  float* out = t.sum_v + r0 * t.padded;
  for_panels(t.padded / width, [&](int64_t v, auto n_vectors) {
    constexpr int N = n_vectors;
    vf acc[M][N];
    for (int m = 0; m < M; ++m)
      for (int n = 0; n < N; ++n)
        acc[m][n] = load(out + m * t.padded + (v + n) * width) * shrink[m];
    multiply(t.scores, t.ld, 1, t.v + v * width, t.padded, keys, acc);
    for (int m = 0; m < M; ++m)
      for (int n = 0; n < N; ++n) store(out + m * t.padded + (v + n) * width, acc[m][n]);
  });
}

void forward(const AttentionForwardTile& t) {
  for_row_groups(t.rows, [&](int64_t r, auto count) { forward_rows<count>(t, r); });
}

void finish(const AttentionForwardTile& t) {
  for (int64_t r = 0; r < t.rows; ++r) {
    float* row = t.sum_v + r * t.padded;
    float inverse = t.sum[r] == 0 ? 0 : 1.0f / t.sum[r];
    for (int64_t c = 0; c < t.padded; c += width) store(row + c, load(row + c) * inverse);
  }
  for_vectors(t.rows, [&](int64_t r, auto lanes) {
    store(t.largest + r, load(t.largest + r, lanes) + log(load(t.sum + r, lanes)), lanes);
  });
}

// scores = exp(q·kᵀ − lse), zero where a row does not see a key.
template <int M>
[[gnu::always_inline]] inline void probabilities(const AttentionBackwardTile& t, int64_t r0) {
  int64_t keys = at_most(t.keys, t.visible + r0 + M - 1);
  int64_t vectors = keys > 0 ? vectors_of(keys) : 0;
  float* scores = t.scores + r0 * t.ld;
  for_panels(vectors, [&](int64_t v, auto n_vectors) {
    constexpr int N = n_vectors;
    vf acc[M][N] = {};
    multiply(t.q + r0 * t.padded, t.padded, 1, t.kt + v * width, t.ld, t.dim, acc);
    for (int m = 0; m < M; ++m) {
      Seen seen = seen_by(t.reach, r0 + m, t.visible - 1 + r0 + m, t.keys);
      for (int n = 0; n < N; ++n) {
        vf p = exp_or_zero(acc[m][n] - t.lse[r0 + m]);
        if (!seen.all((v + n) * width)) p = seen.pick((v + n) * width, p, vf{});
        store(scores + m * t.ld + (v + n) * width, p);
      }
    }
  });
  for (int m = 0; m < M; ++m)
    for (int64_t v = vectors; v < t.ld / width; ++v) store(scores + m * t.ld + v * width, vf{});
}

// dropped = scores times the factors of dropout.
void drop(const AttentionBackwardTile& t) {
  for (int64_t r = 0; r < t.rows; ++r) {
    const float* scores = t.scores + r * t.ld;
    float* dropped = t.dropped + r * t.ld;
    for_drop_factors(t.dropout, 1, r, t.ld / width, [&](int64_t v, vf factor) {
      store(dropped + v * width, load(scores + v * width) * factor);
    });
  }
}

// scores = scores·(f·dout·vᵀ − delta): the gradient of the scores before scaling; f are the factors
// of dropout, or 1.
template <int M>
[[gnu::always_inline]] inline void score_gradients(const AttentionBackwardTile& t, int64_t r0) {
  int64_t keys = at_most(t.keys, t.visible + r0 + M - 1);
  if (keys <= 0) return;
  for_panels(vectors_of(keys), [&](int64_t v, auto n_vectors) {
    constexpr int N = n_vectors;
    vf acc[M][N] = {};
    multiply(t.dout + r0 * t.padded, t.padded, 1, t.vt + v * width, t.ld, t.dim, acc);
    for (int m = 0; m < M; ++m)
      for (int n = 0; n < N; ++n) {
        int64_t at = (r0 + m) * t.ld + (v + n) * width;
        vf dp = acc[m][n];
        // A weight of 0 has no gradient, dropped or not.
        if (t.dropped) dp = select(load(t.dropped + at) > 0.0f, dp * t.dropout.scale, vf{});
        store(t.scores + at, load(t.scores + at) * (dp - t.delta[r0 + m]));
      }
  });
}

// out[M rows] (+)= a·b; the rows' columns are `padded`.
template <int M>
[[gnu::always_inline]] inline void add_product(const float* a, int64_t a_row, int64_t a_step,
                                               const float* b, int64_t padded, int64_t length,
                                               bool overwrite, float* out, int64_t out_stride) {
  for_panels(padded / width, [&](int64_t v, auto n_vectors) {
    constexpr int N = n_vectors;
    vf acc[M][N] = {};
    if (!overwrite)
      for (int m = 0; m < M; ++m)
        for (int n = 0; n < N; ++n) acc[m][n] = load(out + m * out_stride + (v + n) * width);
    multiply(a, a_row, a_step, b + v * width, padded, length, acc);
    for (int m = 0; m < M; ++m)
      for (int n = 0; n < N; ++n) store(out + m * out_stride + (v + n) * width, acc[m][n]);
  });
}

// out[keys] (+)= scoresᵀ·b, b being [rows][padded].
void add_by_key(const AttentionBackwardTile& t, const float* scores, const float* b, float* out) {
  for_row_groups(t.keys, [&](int64_t key, auto count) {
    // The first row that sees `key`.
    int64_t row = key - t.visible + 1;
    row = row < 0 ? 0 : at_most(row, t.rows);
    add_product<count>(scores + row * t.ld + key, 1, t.ld, b + row * t.padded, t.padded,
                       t.rows - row, t.first_dkdv, out + key * t.padded, t.padded);
  });
}

void backward(const AttentionBackwardTile& t) {
  for_row_groups(t.rows, [&](int64_t r, auto count) { probabilities<count>(t, r); });
  if (t.dropped) drop(t);
  if (t.dv) add_by_key(t, t.dropped ? t.dropped : t.scores, t.dout, t.dv);
  for_row_groups(t.rows, [&](int64_t r, auto count) { score_gradients<count>(t, r); });
  if (t.dk) add_by_key(t, t.scores, t.q, t.dk);
  if (!t.dq) return;
  for_row_groups(t.rows, [&](int64_t r, auto count) {
    constexpr int M = count;
    int64_t keys = at_most(t.keys, t.visible + r + M - 1);
    add_product<M>(t.scores + r * t.ld, t.ld, 1, t.k, t.padded, keys > 0 ? keys : 0, t.first_dq,
                   t.dq + r * t.dq_stride, t.dq_stride);
  });
}

void head_dots(const AttentionRows& a, const AttentionRows& b, int64_t row, int64_t heads,
               int64_t dim, float* dot, int64_t dot_stride) {
  with_row(a, row, [&](const auto* x) {
    with_row(b, row, [&](const auto* y) {
      for (int64_t h = 0; h < heads; ++h) {
        vf sum{};
        for_vectors(dim, [&](int64_t c, auto lanes) {
          sum = fma(load(x + h * dim + c, lanes), load(y + h * dim + c, lanes), sum);
        });
        dot[h * dot_stride] = hsum(sum);
      }
    });
  });
}

}  // namespace

const AttentionKernels attention = {load_rows, load_transposed, store_rows, forward,
                                    finish,    backward,        head_dots};

}  // namespace anneal::ANNEAL_ISA
