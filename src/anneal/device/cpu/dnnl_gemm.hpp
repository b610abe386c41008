#pragma once

#include "anneal/device/cpu/matmul.hpp"

namespace anneal {

// One oneDNN matmul primitive with its argument table. Beside the benchmark of products the only
// code that sees oneDNN, whose interface changed between 2.6 and 3.x. Leading dimensions let a
// product read and write parts of larger matrices.
class DnnlGemm {
 public:
  struct Leading {
    int64_t a = 0, b = 0, c = 0;
  };
  // Throws Error where the library has no implementation for these types on this CPU.
  DnnlGemm(const MatmulSpec& spec, const Leading& leading);
  ~DnnlGemm();
  DnnlGemm(DnnlGemm&&) noexcept;

  static bool supports(const MatmulSpec& spec);
  int64_t scratchpad_bytes() const;
  // The library's status, 0 for success: this runs in parallel regions, which exceptions must not
  // leave.
  int run(const void* a, const void* b, const void* bias, void* c, void* scratchpad) const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace anneal
