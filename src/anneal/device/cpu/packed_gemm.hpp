#pragma once

#include <cstddef>

#include "anneal/device/cpu/matmul.hpp"
#include "anneal/device/cpu/product.hpp"

namespace anneal {

// Our own matrix product in FP32 (K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication", 2008): both operands are packed into panels, block by block, in a workspace that
// the caller plans, and tiles of C are computed from panels that stay in the caches. Operands may
// be 16-bit floats, which packing widens; a 16-bit C is computed in f32 first. The same bits for
// any number of threads.
class PackedGemm final : public CpuProduct {
 public:
  explicit PackedGemm(const MatmulSpec& spec);
  // Whether it is the faster choice here: where the library's own kernels for this instruction set
  // stay below it.
  static bool preferred(const MatmulSpec& spec);

  int64_t workspace_bytes() const override;
  void run(const void* a, const void* b, const float* bias, void* c,
           std::byte* workspace) const override;

  // Rows of op(A) or columns of op(B), and inner indices, that are packed at a time.
  struct Block {
    int64_t first = 0, extent = 0;
    int64_t k0 = 0, depth = 0;
  };

 private:
  void multiply(const Block& a, const float* packed_a, const Block& b, const float* packed_b,
                const float* bias, float* c) const;

  MatmulSpec spec_;
  int64_t rows_ = 0, columns_ = 0, depth_ = 0;  // of a block, each packed once
  int64_t tile_rows_ = 0, tile_columns_ = 0;    // of C for one task
  int64_t c_floats_ = 0;                        // C before it is narrowed
  int64_t a_floats_ = 0, b_floats_ = 0;         // packed blocks
};

}  // namespace anneal
