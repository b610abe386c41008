#pragma once

#include <cstdint>
#include <memory>

#include "anneal/device/cpu/matmul.hpp"

namespace anneal {

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
  // Memory for operands and results while the object lives.
  static int64_t memory_bytes(const MatmulSpec& spec, int64_t count);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace anneal
