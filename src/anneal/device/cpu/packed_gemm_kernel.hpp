#pragma once

#include <cstdint>

#include "anneal/base/dtype.hpp"

namespace anneal {

// One operand of a product, packed in panels: panel p holds `panel` rows of op(A) (or columns of
// op(B)) as [k][panel], the last one padded with zeros.
struct PackedSource {
  const void* data = nullptr;
  DType dtype = DType::f32;  // or a 16-bit float
  int64_t leading = 0;       // elements between stored rows
  bool along_k = false;      // stored rows run along k: A as it is, B transposed
};

// A tile of C: C[rows, columns] (+)= A·B (+ bias).
struct PackedTile {
  const float* a = nullptr;  // first panel
  const float* b = nullptr;
  int64_t rows = 0, columns = 0;
  int64_t depth = 0;  // of every panel
  float* c = nullptr;
  int64_t leading = 0;          // of C
  bool accumulate = false;      // add to what C holds
  const float* bias = nullptr;  // of the tile's columns, or null
};

struct PackedGemmKernels {
  int64_t a_panel = 0, b_panel = 0;
  // Panels of rows (columns) [first, first + n) and inner indices [k0, k0 + depth) of the source.
  void (*pack_a)(const PackedSource& from, int64_t first, int64_t n, int64_t k0, int64_t depth,
                 float* to);
  void (*pack_b)(const PackedSource& from, int64_t first, int64_t n, int64_t k0, int64_t depth,
                 float* to);
  void (*multiply)(const PackedTile& tile);
};

namespace portable {
extern const PackedGemmKernels packed_gemm;
}
namespace avx2 {
extern const PackedGemmKernels packed_gemm;
}
namespace avx512 {
extern const PackedGemmKernels packed_gemm;
}

}  // namespace anneal
