#pragma once

#include <cstdint>
#include <memory>

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

// Takes about a third of a second.
MachineRates measure_rates();
// Only the matrix products: some ten milliseconds each.
double measure_product_flops(DType dtype);

// `count` independent matrix products of one shape, on random operands of their own, in the way
// that is fastest here: plain or packed operands (packing is not counted), the library's own
// threads or our tiles. `bias` does not count.
class ProductBench {
 public:
  // Tries all ways and keeps the one with the least median time.
  ProductBench(const MatmulSpec& spec, int64_t count);
  ~ProductBench();
  ProductBench(ProductBench&&) noexcept;
  ProductBench& operator=(ProductBench&&) noexcept;

  // Runs all products once; seconds.
  double run() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace anneal
