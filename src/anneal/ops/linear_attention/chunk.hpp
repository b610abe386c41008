#pragma once

#include <algorithm>

#include "anneal/ops/attention/forward.hpp"
#include "anneal/ops/attention/task_scratch.hpp"
#include "anneal/ops/linear_attention/kernel.hpp"
#include "anneal/ops/linear_attention/linear_attention.hpp"

namespace anneal {

// Sizes of what the kernels work on, from the attributes alone. A chunk's positions lie in rows of
// `queries` columns (queries and keys), `values` (values and a column of ones behind them, so that
// sums of weights come out of the same products) and `columns` (features).
struct LinearAttentionSizes {
  explicit LinearAttentionSizes(const LinearAttentionAttrs& a)
      : attrs(a),
        features(a.features()),
        columns(round_up(features, 16)),
        queries(round_up(a.feature_dim, 16)),
        values(a.state_shape()[2]) {}

  static constexpr int64_t chunk = 64;

  LinearAttentionAttrs attrs;
  int64_t features;
  int64_t columns;
  int64_t queries;
  int64_t values;
  int64_t state_floats() const { return features * values; }
  // `from_packed` and `rows` hold a chunk's positions; features write a little beyond their rows.
  int64_t features_floats() const { return chunk * columns + 16; }
};

// Hands out parts of a task's scratch.
class ScratchParts {
 public:
  explicit ScratchParts(float* scratch) : next_(scratch) {}
  float* take(int64_t floats) {
    float* part = next_;
    next_ += round_up(floats, 16);
    return part;
  }

 private:
  float* next_;
};

// The rows of one head in a packed tensor.
struct LinearAttentionHead {
  AttentionRows q, k, v;
};
inline LinearAttentionHead head_of(const LinearAttentionAttrs& a, const void* packed, DType dtype,
                                   int64_t first_row, int64_t head) {
  int64_t columns = a.packed_columns(), first = first_row * columns;
  return {
      .q = rows_at(packed, dtype, first + head * a.feature_dim, columns),
      .k = rows_at(packed, dtype, first + (a.heads + head) * a.feature_dim, columns),
      .v = rows_at(packed, dtype, first + 2 * a.heads * a.feature_dim + head * a.head_dim, columns),
  };
}

// The forward pass of one head over n positions.
struct LinearAttentionForward {
  explicit LinearAttentionForward(const LinearAttentionAttrs& attrs) : sizes(attrs) {}
  LinearAttentionSizes sizes;

  int64_t scratch_floats() const;
  // state [E][P] holds the positions before these; `empty` says that there are none, whatever lies
  // in it. It has these positions too afterwards, except for the last chunk if `keep` is not set.
  // norm [n].
  void run(const LinearAttentionHead& head, const AttentionRows& out, int64_t n, float* state,
           bool empty, bool keep, float* norm, float* scratch) const;
};

}  // namespace anneal
