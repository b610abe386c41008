#include "anneal/device/cpu/simd.hpp"
#include "anneal/ops/reduce/kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

template <class T>
void sum_rows(const void* rows_of_x, int64_t rows, int64_t stride, int64_t n, bool accumulate,
              float* out) {
  auto* x = static_cast<const T*>(rows_of_x);
  for_vectors(n, [&](int64_t j, auto lanes) {
    vf sum = accumulate ? load(out + j, lanes) : vf{};
    for (int64_t i = 0; i < rows; ++i) sum += load(x + i * stride + j, lanes);
    store(out + j, sum, lanes);
  });
}

}  // namespace

const PerLow<SumRowsKernels> reduce = per_low([]<class L>(Tag<L>) {
  return SumRowsKernels{{sum_rows<float>, sum_rows<L>}};
});

}  // namespace anneal::ANNEAL_ISA
