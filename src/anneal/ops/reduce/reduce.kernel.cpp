#include "anneal/device/cpu/simd.hpp"
#include "anneal/ops/reduce/kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

template <class T>
[[gnu::always_inline]] inline void sum_rows(const T* x, int64_t rows, int64_t stride, int64_t n,
                                            bool accumulate, float* out) {
  for_vectors(n, [&](int64_t j, auto lanes) {
    vf sum = accumulate ? load(out + j, lanes) : vf{};
    for (int64_t i = 0; i < rows; ++i) sum += load(x + i * stride + j, lanes);
    store(out + j, sum, lanes);
  });
}

}  // namespace

void sum_rows_f32(const float* x, int64_t rows, int64_t stride, int64_t n, bool accumulate,
                  float* out) {
  sum_rows(x, rows, stride, n, accumulate, out);
}

void sum_rows_bf16(const bf16* x, int64_t rows, int64_t stride, int64_t n, bool accumulate,
                   float* out) {
  sum_rows(x, rows, stride, n, accumulate, out);
}

}  // namespace anneal::ANNEAL_ISA
