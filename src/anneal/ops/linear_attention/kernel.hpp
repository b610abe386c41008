#pragma once

#include <cstdint>

namespace anneal {

// Rows of one head in a chunk of positions. Row lengths are multiples of 16, so that loops run over
// whole vectors.

// out[r][c] (+)= Σ_i a[r·a_row + i·a_step]·b[i·b_step + c].
struct ChunkProduct {
  const float* a = nullptr;
  int64_t a_row = 0, a_step = 1;
  const float* b = nullptr;
  int64_t b_step = 0;
  int64_t rows = 0, columns = 0, length = 0;
  float* out = nullptr;
  int64_t out_row = 0;
  bool add = false;
  // Terms that are not zero in row r of a triangular a: all, those up to r, or those from r on.
  enum { all, up_to_row, from_row } terms = all;
};

struct LinearAttentionKernels {
  void (*multiply)(const ChunkProduct& product);
  // w = 1 + x + x²/2 of the scores x [n][ld] where row t sees key s <= t, else 0; w may be x.
  void (*weights)(const float* x, int64_t n, int64_t ld, float* w);
  // dw = dw·(1 + x) where row t sees key s <= t, else 0.
  void (*score_gradients)(const float* x, int64_t n, int64_t ld, float* dw);
  // Features of n rows x [n][padded] of f columns (see LinearAttentionAttrs), with squares times
  // `square`, in rows of `columns`, zeros behind the last. Writes up to 16 floats more.
  void (*features)(const float* x, int64_t n, int64_t f, int64_t padded, float square, float* to,
                   int64_t columns);
  // dx += what the gradient of the features contributes. May change d.
  void (*features_gradient)(float* d, int64_t columns, const float* x, int64_t n, int64_t f,
                            int64_t padded, float square, float* dx);
  // Divides rows [n][padded] by their column d, which is stored to norm.
  void (*normalise)(float* rows, int64_t n, int64_t d, int64_t padded, float* norm);
  // g /= norm, row by row, and column d of g = −Σ g·out over the first d columns.
  void (*normalise_gradient)(float* g, const float* out, const float* norm, int64_t n, int64_t d,
                             int64_t padded);
};

namespace portable {
extern const LinearAttentionKernels linear_attention;
}
namespace avx2 {
extern const LinearAttentionKernels linear_attention;
}
namespace avx512 {
extern const LinearAttentionKernels linear_attention;
}

}  // namespace anneal
