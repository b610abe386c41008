#pragma once

#include <cstdint>

#include "anneal/base/dtype.hpp"

namespace anneal {

// The rows of one sequence in f32 or a 16-bit float.
struct ShortConvRows {
  void* data = nullptr;
  DType dtype = DType::f32;
};

// A convolution of `channels` columns of rows of `columns`, with filter [channels][taps].
struct ShortConvSizes {
  int64_t columns = 0, channels = 0, taps = 0;
};

struct ShortConvKernels {
  // Rows [begin, end) of y. history [taps − 1][channels] lies before x's row 0; null: zeros.
  void (*forward)(const ShortConvSizes& sizes, const ShortConvRows& x, const float* filter,
                  const float* history, const ShortConvRows& y, int64_t begin, int64_t end);
  // Rows [begin, end) of dx, in a sequence of `positions`.
  void (*input_gradient)(const ShortConvSizes& sizes, const ShortConvRows& dy, const float* filter,
                         int64_t positions, const ShortConvRows& dx, int64_t begin, int64_t end);
  // sums [taps][channels] = what rows [begin, end) of dy contribute to the filter's gradient.
  void (*filter_gradient)(const ShortConvSizes& sizes, const ShortConvRows& dy,
                          const ShortConvRows& x, int64_t begin, int64_t end, float* sums);
  // `history` after n rows of x: its last rows, of which the first may come from the old history
  // (`empty`: zeros).
  void (*advance)(const ShortConvSizes& sizes, const ShortConvRows& x, int64_t n, bool empty,
                  float* history);
};

namespace portable {
extern const ShortConvKernels short_conv;
}
namespace avx2 {
extern const ShortConvKernels short_conv;
}
namespace avx512 {
extern const ShortConvKernels short_conv;
}

}  // namespace anneal
