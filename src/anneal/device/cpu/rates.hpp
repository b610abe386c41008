#pragma once

#include <cstdint>

#include "anneal/base/dtype.hpp"
#include "anneal/device/cpu/matmul.hpp"

namespace anneal {

// How fast this machine is with the threads that kernels use: measured, since what a virtual
// machine is given is written nowhere. FLOP/s count multiply and add separately; bytes are those
// that a program names (a store counts once).
struct MachineRates {
  double f32_flops = 0;              // matrix products
  double bf16_flops = 0;             // 0: no native ones
  double triad_bytes = 0;            // a + s·b, ordinary stores, arrays far beyond the caches
  double streaming_triad_bytes = 0;  // stores past the caches
  double read_bytes = 0;             // a sum
  double cached_bytes = 0;           // the triad on arrays in the cache of one core

  double flops(DType dtype) const {
    return dtype == DType::bf16 && bf16_flops > 0 ? bf16_flops : f32_flops;
  }
};

// Takes about half a second, and for as long 384 MiB or more with many threads; less, and then less
// reliable, where little memory is left.
MachineRates measure_rates();
// Only the rate of matrix products of this dtype, 0 where there are no native ones: that of
// CpuMatmul on operands large enough for every thread. Some tens of milliseconds.
double measure_product_flops(DType dtype);
// Only MachineRates::read_bytes.
double measure_read_bytes();

}  // namespace anneal
