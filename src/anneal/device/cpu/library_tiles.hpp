#pragma once

#include <vector>

#include "anneal/device/cpu/dnnl_gemm.hpp"
#include "anneal/device/cpu/product.hpp"

namespace anneal {

// A product cut into tiles of C by its shape only, each one single-threaded product of the library,
// so that no reduction is ever split over threads: the library itself splits it for small or flat
// outputs. 16-bit operands are widened first, except bf16 where the CPU has native products of it.
class LibraryTiles final : public CpuProduct {
 public:
  explicit LibraryTiles(const MatmulSpec& spec);
  int64_t workspace_bytes() const override;
  LibraryMemory library_memory() const override;
  // Throws Error where the library fails.
  void run(const void* a, const void* b, const float* bias, void* c,
           std::byte* workspace) const override;

 private:
  struct Tile {
    int64_t row, column;
    DnnlGemm gemm;
  };
  MatmulSpec spec_;    // as the caller sees it
  MatmulSpec native_;  // as the library computes it
  DnnlGemm::Leading leading_;
  std::vector<Tile> tiles_;
  int64_t widened_a_ = 0, widened_b_ = 0, narrowed_c_ = 0;  // bytes of f32 copies
  int64_t scratchpad_ = 0;                                  // bytes for each tile
};

}  // namespace anneal
