#pragma once

#include <cstdint>

#include "anneal/base/dtype.hpp"

namespace anneal {

// Rows [begin, end) of a tensor of `columns` columns in f32 or a 16-bit float.
struct ColumnRows {
  void* data;
  DType dtype;
  int64_t columns;
};
struct ColumnsKernels {
  // out = columns [first, first + out.columns) of x.
  void (*take)(const ColumnRows& x, int64_t first, const ColumnRows& out, int64_t begin,
               int64_t end);
  // out = y with delta added to columns [first, first + delta.columns); out may be y.
  void (*add)(const ColumnRows& y, const ColumnRows& delta, int64_t first, const ColumnRows& out,
              int64_t begin, int64_t end);
};

namespace portable {
extern const ColumnsKernels columns_kernels;
}
namespace avx2 {
extern const ColumnsKernels columns_kernels;
}
namespace avx512 {
extern const ColumnsKernels columns_kernels;
}

}  // namespace anneal
