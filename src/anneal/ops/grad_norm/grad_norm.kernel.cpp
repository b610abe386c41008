#include "anneal/device/cpu/simd.hpp"
#include "anneal/ops/grad_norm/kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

// Half as many floats, and as many doubles.
using half = float __attribute__((vector_size(2 * width)));
using vd = double __attribute__((vector_size(4 * width)));

}  // namespace

double sum_squares_f32(const float* x, int64_t n) {
  constexpr int lanes = width / 2;
  vd sum[4] = {};
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    for (int k = 0; k < 4; ++k) {
      vd v = __builtin_convertvector(load_bytes<half>(x + i + k * lanes), vd);
      sum[k] += v * v;
    }
  }
  double rest = 0;
  for (; i < n; ++i) rest += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  vd total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  for (int k = 0; k < lanes; ++k) rest += total[k];
  return rest;
}

}  // namespace anneal::ANNEAL_ISA
