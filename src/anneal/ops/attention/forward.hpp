#pragma once

#include "anneal/ops/attention/attention.hpp"
#include "anneal/ops/attention/kernel.hpp"

namespace anneal {

inline int64_t round_up(int64_t n, int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

// Rows of one head in a packed tensor: head `head` of position 0 at `data`'s element `first`.
inline AttentionRows rows_at(const void* data, DType dtype, int64_t first, int64_t stride) {
  auto* bytes = static_cast<const std::byte*>(data) + first * size_of(dtype);
  // Rows are written only where they belong to an output.
  return {.data = const_cast<std::byte*>(bytes), .dtype = dtype, .stride = stride};
}

// Asks for n rows of one head ahead of their use: rows of a packed tensor lie on pages of their
// own, which hardware does not foresee.
inline void prefetch_rows(const AttentionRows& rows, int64_t first, int64_t n, int64_t dim) {
  int64_t size = size_of(rows.dtype);
  auto* row = static_cast<const char*>(rows.data) + first * rows.stride * size;
  for (int64_t r = 0; r < n; ++r, row += rows.stride * size)
    for (int64_t byte = 0; byte < dim * size; byte += 64) __builtin_prefetch(row + byte, 0, 2);
}

// How the forward pass is cut: a task is a block of query heads that share a key head, at some
// consecutive positions. Everything follows from shapes.
struct ForwardTiling {
  ForwardTiling(const AttentionAttrs& attrs, int64_t batch, int64_t positions);

  AttentionAttrs attrs;
  int64_t positions;       // of queries in a sequence
  int64_t padded;          // head_dim in whole vectors
  int64_t keys;            // in a tile
  int64_t heads;           // in a task
  int64_t tile_positions;  // in a task
  int64_t tiles() const { return (positions + tile_positions - 1) / tile_positions; }
  int64_t head_blocks() const { return attrs.heads / heads; }
  int64_t scratch_floats() const;
};

// The operands of one head block; q and out are rows of all its heads, position by position.
struct ForwardHeads {
  AttentionRows q;
  AttentionRows k;
  AttentionRows v;
  AttentionRows out;
  AttentionDropout dropout{};  // position and key are the tile's to fill in
  AttentionReach reach{};      // of the first query on
  int64_t start = 0;           // keys before the first query's own
  int64_t present = 0;         // keys that may be read
  float* lse = nullptr;        // [heads][positions], or null
};

// The stream of one sequence's weights, from head 0, position 0 and key 0.
AttentionDropout dropout_of(const AttentionAttrs& attrs, int64_t positions, int64_t sample);

void attend(const ForwardTiling& tiling, const ForwardHeads& heads, int64_t tile, float* scratch);

}  // namespace anneal
