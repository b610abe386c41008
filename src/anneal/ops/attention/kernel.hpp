#pragma once

#include <cstdint>
#include <limits>

#include "anneal/base/dtype.hpp"

namespace anneal {

// Rows of f32 or a 16-bit float inside a larger tensor: row r starts at element
// (r / group)·stride + (r % group)·inner, so that the rows of several heads can be walked position
// by position.
struct AttentionRows {
  void* data = nullptr;
  DType dtype = DType::f32;
  int64_t stride = 0;
  int64_t group = 1;
  int64_t inner = 0;
};

// Which weights are dropped: that of row r and key k of the tile is element
// ((head + r % group)·positions + position + r / group)·row + key + k of sample `sample`'s stream.
struct AttentionDropout {
  uint64_t stream = 0;  // the key of the random stream
  uint64_t sample = 0;
  uint32_t threshold = 0;                   // of 2^24; 0: nothing is dropped
  float scale = 1;                          // of what is kept
  int64_t positions = 0;                    // in a sequence
  int64_t row = 0;                          // positions, rounded up to a multiple of 4
  int64_t head = 0, position = 0, key = 0;  // of row 0 and key 0; key is a multiple of 4
};

// The first key that a query sees: `reach` keys before its own, or position[its index] if that is
// less.
struct AttentionReach {
  const int32_t* position = nullptr;  // of the tile's first query on, within their documents
  int64_t reach = std::numeric_limits<int64_t>::max();
  // Keys before its own that query i of the tile sees at most.
  int64_t operator()(int64_t i) const {
    return position && position[i] < reach ? position[i] : reach;
  }
  // The first key that query i sees, where its own key is `own`.
  int64_t first_key(int64_t i, int64_t own) const {
    int64_t before = (*this)(i);
    return before < own ? own - before : 0;
  }
  AttentionReach from(int64_t i) const { return {position ? position + i : nullptr, reach}; }
};

// Query rows against one tile of keys. Row lengths of f32 tiles are multiples of 16, so that loops
// run over whole vectors: `padded` is head_dim rounded up, `ld` the keys of a full tile. What is in
// the padding does not matter but is initialised.
struct AttentionForwardTile {
  const float* q = nullptr;  // [rows][padded], times the scale
  int64_t rows = 0;
  int64_t group = 1;  // rows of a position: the heads that share the keys
  int64_t dim = 0;
  int64_t padded = 0;
  int64_t keys = 0;
  int64_t ld = 0;
  int64_t visible = 0;        // row r sees keys before visible + r / group of the tile …
  AttentionReach reach;       // … from the first that is in its reach
  const float* kt = nullptr;  // [dim][ld], keys transposed
  const float* v = nullptr;   // [keys][padded]
  float* scores = nullptr;    // scratch [6][ld]
  AttentionDropout dropout;
  // The running state of each row, with the largest score so far: Σ exp(score − largest)·v, the
  // largest, and Σ exp(score − largest).
  float* sum_v = nullptr;    // [rows][padded], from 0
  float* largest = nullptr;  // [rows], from −∞
  float* sum = nullptr;      // [rows], from 0
};

struct AttentionBackwardTile {
  int64_t rows = 0;
  int64_t dim = 0;
  int64_t padded = 0;
  int64_t keys = 0;
  int64_t ld = 0;
  int64_t visible = 0;           // row r sees keys before visible + r of the tile …
  AttentionReach reach;          // … from the first that is in its reach
  const float* q = nullptr;      // [rows][padded], times the scale
  const float* dout = nullptr;   // [rows][padded]
  const float* k = nullptr;      // [keys][padded], times the scale
  const float* kt = nullptr;     // [dim][ld]
  const float* vt = nullptr;     // [dim][ld]
  const float* lse = nullptr;    // [rows]
  const float* delta = nullptr;  // [rows], Σ dout·out
  float* scores = nullptr;       // scratch [rows][ld]
  float* dropped = nullptr;      // scratch [rows][ld], with dropout
  AttentionDropout dropout;
  float* dk = nullptr;  // [keys][padded], with dv; null where not wanted
  float* dv = nullptr;
  float* dq = nullptr;  // rows of dq_stride, `padded` columns are written; null where not wanted
  int64_t dq_stride = 0;
  bool first_dkdv = false;  // overwrite rather than add
  bool first_dq = false;
};

struct AttentionKernels {
  // to[r][0, padded) = from's row first + r times scale, for n rows.
  void (*load_rows)(const AttentionRows& from, int64_t first, int64_t n, int64_t dim, float scale,
                    float* to, int64_t padded);
  // to[c][r] = from's row first + r, for n rows of one head (group 1); to is [dim][ld].
  void (*load_transposed)(const AttentionRows& from, int64_t first, int64_t n, int64_t dim,
                          float* to, int64_t ld);
  void (*store_rows)(const float* from, int64_t from_stride, const AttentionRows& to, int64_t first,
                     int64_t n, int64_t dim);
  void (*forward)(const AttentionForwardTile& tile);
  // Turns the state into the results: sum_v into the output's rows, `largest` into the log of the
  // sum of exponentials.
  void (*finish)(const AttentionForwardTile& tile);
  void (*backward)(const AttentionBackwardTile& tile);
  // dot[h·dot_stride] = Σ over head h's columns of a·b, for the heads of one packed row.
  void (*head_dots)(const AttentionRows& a, const AttentionRows& b, int64_t row, int64_t heads,
                    int64_t dim, float* dot, int64_t dot_stride);
};

namespace portable {
extern const AttentionKernels attention;
}
namespace avx2 {
extern const AttentionKernels attention;
}
namespace avx512 {
extern const AttentionKernels attention;
}

}  // namespace anneal
