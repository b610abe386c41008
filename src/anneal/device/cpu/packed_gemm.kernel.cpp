#include "anneal/device/cpu/packed_gemm_kernel.hpp"
#include "anneal/device/cpu/simd.hpp"
#include "anneal/device/cpu/simd_product.hpp"
#include "anneal/device/cpu/simd_transpose.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

// What the accumulators of simd_product.hpp hold at a time.
constexpr int rows_of_panel = product_rows;
constexpr int vectors_of_panel = product_vectors;
constexpr int columns_of_panel = vectors_of_panel * width;
// Lanes [g, g + width) of inner index k of a panel. Where a panel is narrower than a vector, a
// whole one is stored as long as it stays in the panel's memory: later inner indices overwrite the
// rest.
template <int Panel>
[[gnu::always_inline]] inline void store_lanes(float* panel, int64_t depth, int64_t k, int g,
                                               vf v) {
  float* to = panel + k * Panel + g;
  bool fits = Panel % width == 0 || (Panel < width && k * Panel + width <= Panel * depth);
  if (fits)
    store(to, v);
  else
    store(to, v, Panel - g < width ? Panel - g : width);
}

// Sources whose stored rows run along k: squares are transposed in registers. Lanes of a panel come
// in groups of a whole vector; `lanes` of the group exist, or all of them if Whole.
template <int Panel, bool Whole, class T>
[[gnu::always_inline]] inline void transpose_group(const T* rows, int64_t leading, int lanes,
                                                   int64_t depth, int g, float* panel) {
  constexpr int most = Panel < width ? Panel : width;
  auto square_at = [&](int64_t k, auto length, vf(&square)[width]) {
    for (int i = 0; i < width; ++i) {
      bool there = Whole ? i < most : i < lanes;
      square[i] = there ? load(rows + i * leading + k, length) : vf{};
    }
    transpose(square);
  };
  vf square[width];
  int64_t k = 0;
  // A whole vector's overhang stays within the panel up to the last square.
  for (; k + 2 * width <= depth; k += width) {
    square_at(k, FullLanes{}, square);
    for (int i = 0; i < width; ++i) {
      if constexpr (Panel % width == 0 || Panel < width)
        store(panel + (k + i) * Panel + g, square[i]);
      else
        store_lanes<Panel>(panel, depth, k + i, g, square[i]);
    }
  }
  for_vectors(depth - k, [&](int64_t at, auto length) {
    square_at(k + at, length, square);
    for (int i = 0; i < length; ++i) store_lanes<Panel>(panel, depth, k + at + i, g, square[i]);
  });
}

template <int Panel, class T>
void pack_transposing(const T* from, int64_t leading, int64_t n, int64_t depth, float* to) {
  for (int64_t p = 0; p < n; p += Panel, to += Panel * depth)
    for (int g = 0; g < Panel; g += width) {
      int most = Panel - g < width ? Panel - g : width;
      int64_t left = n - p - g;
      int lanes = left < 0 ? 0 : left < most ? static_cast<int>(left) : most;
      const T* rows = from + (p + g) * leading;
      if (lanes == (Panel < width ? Panel : width))
        transpose_group<Panel, true>(rows, leading, lanes, depth, g, to);
      else
        transpose_group<Panel, false>(rows, leading, lanes, depth, g, to);
    }
}

// The panels of lanes [first, end) of one stored row, which has n lanes.
template <int Panel, class T>
[[gnu::always_inline]] inline void copy_lanes(const T* row, int64_t first, int64_t end, int64_t n,
                                              int64_t k, int64_t depth, float* to) {
  float* panel = to + first * depth;
  for (int64_t p = first; p < end; p += Panel, panel += Panel * depth)
    for (int g = 0; g < Panel; g += width) {
      // Lanes beyond the panel are not kept, but they must be there to be loaded.
      int64_t lanes = n - p - g;
      vf v{};
      if (lanes >= width)
        v = load(row + p + g);
      else if (lanes > 0)
        v = load(row + p + g, static_cast<int>(lanes));
      store_lanes<Panel>(panel, depth, k, g, v);
    }
}

// Sources whose stored rows run along the panels' lanes. Some panels at a time: whole cache lines
// are read from each stored row, and few lines are written at once, whose addresses would otherwise
// fall into one set of the cache.
template <int Panel, class T>
void pack_copying(const T* from, int64_t leading, int64_t n, int64_t depth, float* to) {
  constexpr int panels = Panel < width ? 8 : 4;
  constexpr int64_t group = panels * Panel;
  constexpr int64_t ahead = 8;  // stored rows lie far apart, which hardware does not foresee
  for (int64_t first = 0; first < n; first += group) {
    int64_t k = 0;
    // Whole vectors may be loaded and stored: all but the last group, up to the last inner indices.
    if constexpr (Panel % width == 0 || Panel < width) {
      constexpr int64_t last = Panel < width ? width / Panel + 1 : 0;
      float* panel = to + first * depth;
      if (first + group + width <= n)
        for (; k < depth - last; ++k) {
          const T* row = from + k * leading + first;
          for (int64_t at = 0; at < group; at += 64 / static_cast<int64_t>(sizeof(T)))
            __builtin_prefetch(row + ahead * leading + at);
          for (int p = 0; p < panels; ++p)
            for (int g = 0; g < Panel; g += width)
              store(panel + p * Panel * depth + k * Panel + g, load(row + p * Panel + g));
        }
    }
    int64_t end = first + group < n ? first + group : n;
    for (; k < depth; ++k) copy_lanes<Panel>(from + k * leading, first, end, n, k, depth, to);
  }
}

template <int Panel>
void pack(const PackedSource& s, int64_t first, int64_t n, int64_t k0, int64_t depth, float* to) {
  visit_stored(s.dtype, [&]<class T>(Tag<T>) {
    auto* data = static_cast<const T*>(s.data);
    if (s.along_k)
      pack_transposing<Panel>(data + first * s.leading + k0, s.leading, n, depth, to);
    else
      pack_copying<Panel>(data + k0 * s.leading + first, s.leading, n, depth, to);
  });
}

// One block of accumulators: rows × columns of C, of which the first `rows`, `columns` exist.
[[gnu::always_inline]] inline void multiply_panels(const float* a, const float* b, int64_t depth,
                                                   float* c, int64_t leading, int64_t rows,
                                                   int64_t columns, bool accumulate,
                                                   const float* bias) {
  constexpr int M = rows_of_panel, N = vectors_of_panel;
  bool whole = rows >= M && columns >= columns_of_panel;
  if (whole)
    for (int m = 0; m < M; ++m) {
      __builtin_prefetch(c + m * leading, 1);
      __builtin_prefetch(c + m * leading + columns_of_panel - 1, 1);
    }
  vf acc[M][N] = {};
  multiply(a, 1, M, b, columns_of_panel, depth, acc);
  if (whole) {
    for (int m = 0; m < M; ++m)
      for (int n = 0; n < N; ++n) {
        float* p = c + m * leading + n * width;
        vf v = acc[m][n];
        if (accumulate) v += load(p);
        if (bias) v += load(bias + n * width);
        store(p, v);
      }
    return;
  }
  float block[M][columns_of_panel];
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n) store(block[m] + n * width, acc[m][n]);
  rows = rows < M ? rows : M;
  columns = columns < columns_of_panel ? columns : columns_of_panel;
  for (int64_t m = 0; m < rows; ++m)
    for_vectors(columns, [&](int64_t n, auto lanes) {
      float* p = c + m * leading + n;
      vf v = load(block[m] + n, lanes);
      if (accumulate) v += load(p, lanes);
      if (bias) v += load(bias + n, lanes);
      store(p, v, lanes);
    });
}

void multiply_tile(const PackedTile& t) {
  for (int64_t n = 0; n < t.columns; n += columns_of_panel)
    for (int64_t m = 0; m < t.rows; m += rows_of_panel)
      multiply_panels(t.a + m * t.depth, t.b + n * t.depth, t.depth, t.c + m * t.leading + n,
                      t.leading, t.rows - m, t.columns - n, t.accumulate,
                      t.bias ? t.bias + n : nullptr);
}

}  // namespace

const PackedGemmKernels packed_gemm = {rows_of_panel, columns_of_panel, pack<rows_of_panel>,
                                       pack<columns_of_panel>, multiply_tile};

}  // namespace anneal::ANNEAL_ISA
