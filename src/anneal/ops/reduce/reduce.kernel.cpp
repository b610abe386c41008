#include "anneal/device/cpu/simd.hpp"
#include "anneal/device/cpu/simd_product.hpp"
#include "anneal/ops/reduce/kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

template <class T>
void sum_rows(const void* rows_of_x, int64_t rows, int64_t stride, int64_t n, bool accumulate,
              float* out) {
  // Rows are read from end to end, as memory likes it; some at a time spare the sums' way through
  // the cache.
  auto add = [&](const T* x, auto count) {
    for_vectors(n, [&](int64_t j, auto lanes) {
      vf sum = accumulate ? load(out + j, lanes) : vf{};
      for (int i = 0; i < count; ++i) sum += load(x + i * stride + j, lanes);
      store(out + j, sum, lanes);
    });
    accumulate = true;
  };
  auto* x = static_cast<const T*>(rows_of_x);
  if (rows == 0) add(x, Count<0>{});
  int64_t row = 0;
  for (; row + 4 <= rows; row += 4) add(x + row * stride, Count<4>{});
  for (; row < rows; ++row) add(x + row * stride, Count<1>{});
}

}  // namespace

const PerLow<SumRowsKernels> reduce = per_low([]<class L>(Tag<L>) {
  return SumRowsKernels{{sum_rows<float>, sum_rows<L>}};
});

}  // namespace anneal::ANNEAL_ISA
