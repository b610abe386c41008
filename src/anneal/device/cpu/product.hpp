#pragma once

#include <cstddef>
#include <cstdint>

#include "anneal/device/library_memory.hpp"

namespace anneal {

// A way to compute a matrix product: what CpuMatmul chooses among.
class CpuProduct {
 public:
  virtual ~CpuProduct() = default;
  virtual int64_t workspace_bytes() const = 0;
  virtual LibraryMemory library_memory() const { return {}; }
  // See CpuMatmul::run.
  virtual void run(const void* a, const void* b, const float* bias, void* c,
                   std::byte* workspace) const = 0;
};

}  // namespace anneal
