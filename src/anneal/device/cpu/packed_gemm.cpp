#include "anneal/device/cpu/packed_gemm.hpp"

#include <algorithm>

#include "anneal/device/cpu/convert.hpp"
#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/packed_gemm_kernel.hpp"
#include "anneal/device/cpu/parallel.hpp"

namespace anneal {
namespace {

// Inner indices of a slice: a panel of B of that depth stays in the first-level cache while panels
// of A go by.
constexpr int64_t slice_depth = 256;
// Blocks whose packed form stays in the last-level cache, beside C.
constexpr int64_t block_floats = int64_t{1} << 20;
constexpr int64_t block_depth = 8 * slice_depth;
// Of C for a task: a slice of A for it stays in the second-level cache.
constexpr int64_t tile_rows = 192, tile_columns = 256;
constexpr int64_t pack_grain = 1 << 14;  // elements a task

const PackedGemmKernels& kernels() {
  return *pick(&portable::packed_gemm, &avx2::packed_gemm, &avx512::packed_gemm);
}

int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// The extent in parts of about equal length, none longer than `most` rounded up to whole panels.
int64_t even_part(int64_t extent, int64_t most, int64_t panel) {
  most = std::max(panel, most);
  int64_t parts = (extent + most - 1) / most;
  return round_up((extent + parts - 1) / parts, panel);
}

// Packs a block, slice by slice; each task packs whole panels of one slice.
template <class Pack>
void pack(Pack* run_pack, const PackedSource& from, int64_t panel, const PackedGemm::Block& block,
          float* to) {
  int64_t slices = (block.depth + slice_depth - 1) / slice_depth;
  int64_t lanes = std::max<int64_t>(1, pack_grain / slice_depth / panel) * panel;
  int64_t parts = (block.extent + lanes - 1) / lanes;
  parallel_for(slices * parts, [&](int64_t task) {
    int64_t k = task / parts * slice_depth, first = task % parts * lanes;
    int64_t depth = std::min(slice_depth, block.depth - k);
    run_pack(from, block.first + first, std::min(lanes, block.extent - first), block.k0 + k, depth,
             to + round_up(block.extent, panel) * k + first * depth);
  });
}

}  // namespace

bool PackedGemm::preferred(const MatmulSpec& spec) {
  // oneDNN's AVX-512 kernels reach the machine's rate, its AVX2 kernels do not. Packing needs rows
  // to pay for it.
  return cpu_isa() == Isa::avx2 && spec.m >= 24 && spec.n > 0 && spec.k > 0;
}

PackedGemm::PackedGemm(const MatmulSpec& spec) : spec_(spec) {
  const auto& k = kernels();
  depth_ = std::min(spec.k, block_depth);
  columns_ = even_part(spec.n, block_floats / depth_, k.b_panel);
  rows_ = even_part(spec.m, block_floats / depth_, k.a_panel);
  // At least four tasks where the product is large enough to be worth it.
  int64_t most_rows = std::max<int64_t>(48, std::min(tile_rows, (rows_ + 3) / 4));
  tile_rows_ = even_part(rows_, most_rows, k.a_panel);
  tile_columns_ = even_part(columns_, tile_columns, k.b_panel);
  a_floats_ = round_up(rows_ * depth_, 16);
  b_floats_ = round_up(columns_ * depth_, 16);
  if (is_low(spec.c)) c_floats_ = spec.m * spec.n;
}

int64_t PackedGemm::workspace_bytes() const { return (a_floats_ + b_floats_ + c_floats_) * 4; }

void PackedGemm::run(const void* a, const void* b, const float* bias, void* c_any,
                     std::byte* workspace) const {
  const auto& kernel = kernels();
  const MatmulSpec& s = spec_;
  auto* packed_a = reinterpret_cast<float*>(workspace);
  float* packed_b = packed_a + a_floats_;
  float* c = c_floats_ > 0 ? packed_b + b_floats_ : static_cast<float*>(c_any);
  PackedSource a_source{a, s.a, s.trans_a ? s.m : s.k, !s.trans_a};
  PackedSource b_source{b, s.b, s.trans_b ? s.k : s.n, s.trans_b};
  for (int64_t k0 = 0; k0 < s.k; k0 += depth_) {
    int64_t depth = std::min(depth_, s.k - k0);
    for (int64_t n0 = 0; n0 < s.n; n0 += columns_) {
      Block b_block{.first = n0, .extent = std::min(columns_, s.n - n0), .k0 = k0, .depth = depth};
      pack(kernel.pack_b, b_source, kernel.b_panel, b_block, packed_b);
      for (int64_t m0 = 0; m0 < s.m; m0 += rows_) {
        Block a_block{.first = m0, .extent = std::min(rows_, s.m - m0), .k0 = k0, .depth = depth};
        // One block of A serves all blocks of B.
        if (n0 == 0 || rows_ < s.m)
          pack(kernel.pack_a, a_source, kernel.a_panel, a_block, packed_a);
        multiply(a_block, packed_a, b_block, packed_b, bias, c);
      }
    }
  }
  if (c_floats_ > 0) narrow(c, c_any, s.c, s.m * s.n);
}

void PackedGemm::multiply(const Block& a, const float* packed_a, const Block& b,
                          const float* packed_b, const float* bias, float* c) const {
  const auto& kernel = kernels();
  int64_t a_slice = round_up(a.extent, kernel.a_panel),
          b_slice = round_up(b.extent, kernel.b_panel);
  int64_t row_tiles = (a.extent + tile_rows_ - 1) / tile_rows_;
  int64_t column_tiles = (b.extent + tile_columns_ - 1) / tile_columns_;
  parallel_for_dynamic(row_tiles * column_tiles, [&](int64_t task) {
    int64_t row = task % row_tiles * tile_rows_, column = task / row_tiles * tile_columns_;
    for (int64_t k = 0; k < a.depth; k += slice_depth) {
      int64_t depth = std::min(slice_depth, a.depth - k);
      bool first = a.k0 + k == 0;
      kernel.multiply({.a = packed_a + a_slice * k + row * depth,
                       .b = packed_b + b_slice * k + column * depth,
                       .rows = std::min(tile_rows_, a.extent - row),
                       .columns = std::min(tile_columns_, b.extent - column),
                       .depth = depth,
                       .c = c + (a.first + row) * spec_.n + b.first + column,
                       .leading = spec_.n,
                       .accumulate = spec_.accumulate || !first,
                       .bias = bias && first ? bias + b.first + column : nullptr});
    }
  });
}

}  // namespace anneal
