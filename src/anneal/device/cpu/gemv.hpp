#pragma once

#include <cstddef>

#include "anneal/device/cpu/matmul.hpp"
#include "anneal/device/cpu/product.hpp"

namespace anneal {

// One row times a matrix, y = x·B (+ bias): what generating a token consists of. It is bound by
// reading B, which is read once, in its own dtype and in whole rows or whole cache lines. The same
// bits for any number of threads.
class Gemv final : public CpuProduct {
 public:
  explicit Gemv(const MatmulSpec& spec);
  static bool fits(const MatmulSpec& spec) { return spec.m == 1 && spec.k > 0 && !spec.accumulate; }

  // x and y in f32, where they are not, and sums of slices.
  int64_t workspace_bytes() const override;
  void run(const void* a, const void* b, const float* bias, void* c,
           std::byte* workspace) const override;

 private:
  void rows_along_k(const float* x, const void* b, const float* bias, float* y) const;
  void rows_along_n(const float* x, const void* b, const float* bias, float* y,
                    float* partial) const;

  MatmulSpec spec_;
  int64_t slice_ = 0;           // inner indices at a time
  int64_t partial_floats_ = 0;  // [slices][n]
};

}  // namespace anneal
