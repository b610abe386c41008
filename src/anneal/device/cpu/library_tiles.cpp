#include "anneal/device/cpu/library_tiles.hpp"

#include <algorithm>
#include <atomic>

#include "anneal/device/cpu/convert.hpp"
#include "anneal/device/cpu/parallel.hpp"

namespace anneal {
namespace {

constexpr int64_t alignment = 64;
int64_t aligned(int64_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

// Large enough to run at the library's full rate and many enough for the threads of a small
// machine.
int64_t tile_extent(int64_t extent) {
  if (extent <= 64) return extent;
  int64_t parts = std::clamp<int64_t>(extent / 96, 2, 4);
  while ((extent + parts - 1) / parts > 512) ++parts;
  return ((extent + parts - 1) / parts + 15) / 16 * 16;
}

const std::byte* offset(const void* base, DType dtype, int64_t elements) {
  return static_cast<const std::byte*>(base) + elements * size_of(dtype);
}

}  // namespace

LibraryTiles::LibraryTiles(const MatmulSpec& spec) : spec_(spec), native_(spec) {
  bool any_low = is_low(spec.a) || is_low(spec.b) || is_low(spec.c);
  bool native = spec.a == DType::bf16 && spec.b == DType::bf16 && spec.c != DType::f16;
  if (any_low && !(native && cpu_matmul_has_native_bf16())) {
    native_.a = native_.b = native_.c = DType::f32;
    if (is_low(spec.a)) widened_a_ = aligned(4 * spec.m * spec.k);
    if (is_low(spec.b)) widened_b_ = aligned(4 * spec.k * spec.n);
    if (is_low(spec.c)) narrowed_c_ = aligned(4 * spec.m * spec.n);
  }
  leading_ = {spec.trans_a ? spec.m : spec.k, spec.trans_b ? spec.k : spec.n, spec.n};
  int64_t rows = tile_extent(spec.m), columns = tile_extent(spec.n);
  for (int64_t row = 0; row < spec.m; row += rows) {
    for (int64_t column = 0; column < spec.n; column += columns) {
      MatmulSpec part = native_;
      part.m = std::min(rows, spec.m - row);
      part.n = std::min(columns, spec.n - column);
      tiles_.push_back({row, column, DnnlGemm(part, leading_)});
      scratchpad_ = std::max(scratchpad_, aligned(tiles_.back().gemm.scratchpad_bytes()));
    }
  }
}

int64_t LibraryTiles::workspace_bytes() const {
  return widened_a_ + widened_b_ + narrowed_c_ + scratchpad_ * static_cast<int64_t>(tiles_.size());
}

LibraryMemory LibraryTiles::library_memory() const {
  // Seen with oneDNN 2.6: what a primitive keeps, and packed copies of both operands, whose rows
  // and columns are rounded up to whole register tiles.
  constexpr int64_t primitive_bytes = 12 << 10;
  LibraryMemory memory{.held = static_cast<int64_t>(tiles_.size()) * primitive_bytes};
  int64_t rows = tile_extent(native_.m), columns = tile_extent(native_.n);
  memory.packing = (rows + columns) * native_.k * size_of(native_.a) * 5 / 4;
  return memory;
}

void LibraryTiles::run(const void* a, const void* b, const float* bias, void* c,
                       std::byte* workspace) const {
  const MatmulSpec& s = spec_;
  void* result = c;
  if (widened_a_) {
    widen(a, s.a, reinterpret_cast<float*>(workspace), s.m * s.k);
    a = workspace;
    workspace += widened_a_;
  }
  if (widened_b_) {
    widen(b, s.b, reinterpret_cast<float*>(workspace), s.k * s.n);
    b = workspace;
    workspace += widened_b_;
  }
  if (narrowed_c_) {
    result = workspace;
    workspace += narrowed_c_;
  }
  std::atomic<int> failure{0};
  // Also with one tile: inside a parallel region the library stays on one thread.
  parallel_for_dynamic(static_cast<int64_t>(tiles_.size()), [&](int64_t t) {
    const Tile& tile = tiles_[static_cast<size_t>(t)];
    auto* tile_c =
        const_cast<std::byte*>(offset(result, native_.c, tile.row * leading_.c + tile.column));
    int status =
        tile.gemm.run(offset(a, native_.a, tile.row * (s.trans_a ? 1 : leading_.a)),
                      offset(b, native_.b, tile.column * (s.trans_b ? leading_.b : 1)),
                      bias ? bias + tile.column : nullptr, tile_c, workspace + t * scratchpad_);
    if (status != 0) failure = status;
  });
  if (failure != 0)
    throw Error(str("a matrix product of ", s.m, " x ", s.n, " x ", s.k, " failed in ",
                    cpu_matmul_library(), ", status ", failure.load(),
                    failure == 1 ? ": out of memory" : ""));
  if (narrowed_c_) narrow(static_cast<const float*>(result), c, s.c, s.m * s.n);
}

}  // namespace anneal
