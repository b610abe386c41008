#include "anneal/device/cpu/matmul.hpp"

#include <algorithm>
#include <atomic>
#include <optional>
#include <vector>

#include "anneal/device/cpu/convert.hpp"
#include "anneal/device/cpu/dnnl_gemm.hpp"
#include "anneal/device/cpu/packed_gemm.hpp"
#include "anneal/device/cpu/parallel.hpp"

namespace anneal {
namespace {

constexpr int64_t alignment = 64;
int64_t aligned(int64_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

// Output tiles, by shape only: large enough to run at the library's full rate and many enough for
// the threads of a small machine. Each tile is one single-threaded product, so no reduction is ever
// split over threads: the library itself splits it for small or flat outputs.
int64_t tile_extent(int64_t extent) {
  if (extent <= 64) return extent;
  int64_t parts = std::clamp<int64_t>(extent / 96, 2, 4);
  while ((extent + parts - 1) / parts > 512) ++parts;
  return ((extent + parts - 1) / parts + 15) / 16 * 16;
}

struct Tile {
  int64_t row, column;
  DnnlGemm gemm;
};

}  // namespace

bool cpu_matmul_has_native_bf16() {
  static const bool native =
      DnnlGemm::supports({.m = 64, .n = 64, .k = 64, .a = DType::bf16, .b = DType::bf16});
  return native;
}

struct CpuMatmul::Impl {
  MatmulSpec spec;    // as the caller sees it
  MatmulSpec native;  // as the library computes it
  DnnlGemm::Leading leading;
  std::optional<PackedGemm> packed;  // instead of the library's tiles
  std::vector<Tile> tiles;
  int64_t widened_a = 0, widened_b = 0, narrowed_c = 0;  // bytes of f32 copies
  int64_t scratchpad = 0;                                // bytes for each tile
};

namespace {

// Each tile is one single-threaded product of the library.
void run_tiles(const CpuMatmul::Impl& i, const void* a, const void* b, const void* bias, void* c,
               std::byte* workspace) {
  const MatmulSpec& s = i.spec;
  std::atomic<int> failure{0};
  auto run_tile = [&](int64_t t) {
    const Tile& tile = i.tiles[static_cast<size_t>(t)];
    auto offset = [](const void* base, DType dtype, int64_t elements) {
      return static_cast<const char*>(base) + elements * size_of(dtype);
    };
    const void* tile_a = offset(a, i.native.a, tile.row * (s.trans_a ? 1 : i.leading.a));
    const void* tile_b = offset(b, i.native.b, tile.column * (s.trans_b ? i.leading.b : 1));
    const void* tile_bias = bias ? offset(bias, DType::f32, tile.column) : nullptr;
    const void* tile_c = offset(c, i.native.c, tile.row * i.leading.c + tile.column);
    int status = tile.gemm.run(tile_a, tile_b, tile_bias, const_cast<void*>(tile_c),
                               workspace + t * i.scratchpad);
    if (status != 0) failure = status;
  };
  // Also with one tile: inside a parallel region the library stays on one thread.
  parallel_for_dynamic(static_cast<int64_t>(i.tiles.size()), run_tile);
  if (failure != 0)
    throw Error(str("a matrix product of ", s.m, " x ", s.n, " x ", s.k, " failed in ",
                    cpu_matmul_library(), ", status ", failure.load(),
                    failure == 1 ? ": out of memory" : ""));
}

}  // namespace

CpuMatmul::CpuMatmul(const MatmulSpec& spec) : impl_(std::make_unique<Impl>()) {
  Impl& i = *impl_;
  ANNEAL_ASSERT(!spec.accumulate || spec.c == DType::f32, "only f32 accumulates");
  i.spec = i.native = spec;
  if (PackedGemm::preferred(spec)) {
    i.native.c = DType::f32;
    if (spec.c == DType::bf16) i.narrowed_c = aligned(4 * spec.m * spec.n);
    i.packed.emplace(i.native);
    i.scratchpad = aligned(i.packed->workspace_bytes());
    return;
  }
  bool any_low = spec.a == DType::bf16 || spec.b == DType::bf16 || spec.c == DType::bf16;
  bool low_operands = spec.a == DType::bf16 && spec.b == DType::bf16;
  if (any_low && !(low_operands && cpu_matmul_has_native_bf16())) {
    i.native.a = i.native.b = i.native.c = DType::f32;
    if (spec.a == DType::bf16) i.widened_a = aligned(4 * spec.m * spec.k);
    if (spec.b == DType::bf16) i.widened_b = aligned(4 * spec.k * spec.n);
    if (spec.c == DType::bf16) i.narrowed_c = aligned(4 * spec.m * spec.n);
  }
  i.leading = {spec.trans_a ? spec.m : spec.k, spec.trans_b ? spec.k : spec.n, spec.n};
  int64_t rows = tile_extent(spec.m), columns = tile_extent(spec.n);
  for (int64_t row = 0; row < spec.m; row += rows) {
    for (int64_t column = 0; column < spec.n; column += columns) {
      MatmulSpec part = i.native;
      part.m = std::min(rows, spec.m - row);
      part.n = std::min(columns, spec.n - column);
      i.tiles.push_back({row, column, DnnlGemm(part, i.leading)});
      i.scratchpad = std::max(i.scratchpad, aligned(i.tiles.back().gemm.scratchpad_bytes()));
    }
  }
}

CpuMatmul::~CpuMatmul() = default;
CpuMatmul::CpuMatmul(CpuMatmul&&) noexcept = default;
CpuMatmul& CpuMatmul::operator=(CpuMatmul&&) noexcept = default;

int64_t CpuMatmul::workspace_bytes() const {
  auto tasks = static_cast<int64_t>(impl_->packed ? 1 : impl_->tiles.size());
  return impl_->widened_a + impl_->widened_b + impl_->narrowed_c + impl_->scratchpad * tasks;
}

LibraryMemory CpuMatmul::library_memory() const {
  // Seen with oneDNN 2.6: what a primitive keeps, and packed copies of both operands, whose rows
  // and columns are rounded up to whole register tiles.
  constexpr int64_t primitive_bytes = 12 << 10;
  if (impl_->packed) return {};
  LibraryMemory memory{.held = static_cast<int64_t>(impl_->tiles.size()) * primitive_bytes};
  int64_t rows = tile_extent(impl_->native.m), columns = tile_extent(impl_->native.n);
  memory.packing = (rows + columns) * impl_->native.k * size_of(impl_->native.a) * 5 / 4;
  return memory;
}

void CpuMatmul::run(const void* a, const void* b, const void* bias, void* c,
                    std::byte* workspace) const {
  const Impl& i = *impl_;
  const MatmulSpec& s = i.spec;
  void* result = c;
  if (i.widened_a) {
    widen_bf16(static_cast<const bf16*>(a), reinterpret_cast<float*>(workspace), s.m * s.k);
    a = workspace;
    workspace += i.widened_a;
  }
  if (i.widened_b) {
    widen_bf16(static_cast<const bf16*>(b), reinterpret_cast<float*>(workspace), s.k * s.n);
    b = workspace;
    workspace += i.widened_b;
  }
  if (i.narrowed_c) {
    result = workspace;
    workspace += i.narrowed_c;
  }
  if (i.packed)
    i.packed->run(a, b, static_cast<const float*>(bias), static_cast<float*>(result), workspace);
  else
    run_tiles(i, a, b, bias, result, workspace);
  if (i.narrowed_c)
    narrow_to_bf16(static_cast<const float*>(result), static_cast<bf16*>(c), s.m * s.n);
}

}  // namespace anneal
