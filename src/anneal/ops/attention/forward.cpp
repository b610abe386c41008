#include "anneal/ops/attention/forward.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "anneal/device/cpu/isa.hpp"
#include "anneal/ops/attention/task_scratch.hpp"

namespace anneal {
namespace {

constexpr int64_t block_rows = 6;  // what the kernel works on at a time
// Of a task. Every task of a head loads the keys anew: as many rows as leave enough tasks.
constexpr int64_t few_rows = 128, many_rows = 256, enough_tasks = 32;

// Parts of the scratch that do not grow with the rows, and what a row takes: queries and sums of
// values, and two numbers.
int64_t fixed_floats(int64_t padded, int64_t keys) { return 2 * keys * padded + block_rows * keys; }
int64_t row_floats(int64_t padded) { return 2 * padded + 2; }

}  // namespace

ForwardTiling::ForwardTiling(const AttentionAttrs& a, int64_t batch, int64_t query_positions)
    : attrs(a), positions(query_positions), padded(round_up(a.head_dim, 16)) {
  keys = padded <= 64 ? 48 : padded <= 128 ? 32 : 16;
  int64_t left = TaskScratch::stack_floats - fixed_floats(padded, keys) - 32;
  bool many = batch * attrs.heads * positions >= enough_tasks * many_rows;
  int64_t rows =
      std::clamp<int64_t>(left / row_floats(padded), 4 * block_rows, many ? many_rows : few_rows);
  heads = std::min(attrs.group(), rows);
  while (attrs.group() % heads) --heads;
  tile_positions = std::min(positions, rows / heads);
}

int64_t ForwardTiling::scratch_floats() const {
  int64_t rows = tile_positions * heads;
  return fixed_floats(padded, keys) + 2 * rows * padded + 2 * round_up(rows, 16);
}

AttentionDropout dropout_of(const AttentionAttrs& attrs, int64_t positions, int64_t sample) {
  return {.stream = attrs.key,
          .sample = static_cast<uint64_t>(sample),
          // uniform < dropout in multiples of 2^-24.
          .threshold = static_cast<uint32_t>(std::ceil(attrs.dropout * 0x1p24)),
          .scale = static_cast<float>(1 / (1 - attrs.dropout)),
          .positions = positions,
          .row = round_up(positions, 4)};
}

void attend(const ForwardTiling& tiling, const ForwardHeads& heads, int64_t tile, float* scratch) {
  const auto& kernels = *pick(&portable::attention, &avx2::attention, &avx512::attention);
  int64_t dim = tiling.attrs.head_dim, padded = tiling.padded;
  int64_t position = tile * tiling.tile_positions;
  int64_t count = std::min(tiling.tile_positions, tiling.positions - position);
  auto from_position = [&](AttentionRows rows) {
    rows.data = static_cast<std::byte*>(rows.data) + position * rows.stride * size_of(rows.dtype);
    return rows;
  };
  auto take = [&](int64_t floats) {
    float* p = scratch;
    scratch += round_up(floats, 16);
    return p;
  };
  float* kt = take(dim * tiling.keys);
  float* v = take(tiling.keys * padded);
  int64_t rows = count * tiling.heads;
  float* q = take(rows * padded);
  kernels.load_rows(from_position(heads.q), 0, rows, dim, static_cast<float>(tiling.attrs.scale), q,
                    padded);
  AttentionForwardTile t{.q = q,
                         .rows = rows,
                         .group = tiling.heads,
                         .dim = dim,
                         .padded = padded,
                         .ld = tiling.keys,
                         .kt = kt,
                         .v = v,
                         .scores = take(block_rows * tiling.keys),
                         .sum_v = take(rows * padded),
                         .largest = take(rows),
                         .sum = take(rows)};
  t.dropout = heads.dropout;
  t.dropout.position += position;
  t.reach = heads.reach.from(position);
  std::fill_n(t.sum_v, rows * padded, 0.0f);
  std::fill_n(t.largest, rows, -std::numeric_limits<float>::infinity());
  std::fill_n(t.sum, rows, 0.0f);

  int64_t first_row_sees = heads.start + position + 1;
  int64_t end = std::min(heads.present, first_row_sees + count - 1);
  // Later queries see no earlier keys than the first.
  int64_t begin = t.reach.first_key(0, first_row_sees - 1) / tiling.keys * tiling.keys;
  for (int64_t key = begin; key < end; key += tiling.keys) {
    t.keys = std::min(tiling.keys, end - key);
    t.visible = first_row_sees - key;
    t.dropout.key = key;
    kernels.load_transposed(heads.k, key, t.keys, dim, kt, t.ld);
    kernels.load_rows(heads.v, key, t.keys, dim, 1.0f, v, padded);
    int64_t next = key + tiling.keys, next_count = std::min(tiling.keys, end - next);
    prefetch_rows(heads.k, next, next_count, dim);
    prefetch_rows(heads.v, next, next_count, dim);
    kernels.forward(t);
  }
  kernels.finish(t);
  kernels.store_rows(t.sum_v, padded, from_position(heads.out), 0, rows, dim);
  if (!heads.lse) return;
  for (int64_t r = 0; r < rows; ++r)
    heads.lse[r % tiling.heads * tiling.positions + position + r / tiling.heads] = t.largest[r];
}

}  // namespace anneal
