#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "anneal/base/dtype.hpp"
#include "anneal/device/library_memory.hpp"

namespace anneal {

class CpuProduct;

// C[m,n] = op(A)·op(B) (+ bias[n]) or C += op(A)·op(B); all row-major and dense.
struct MatmulSpec {
  int64_t m = 0, n = 0, k = 0;
  bool trans_a = false;                                  // A is stored [k,m]
  bool trans_b = false;                                  // B is stored [n,k]
  DType a = DType::f32, b = DType::f32, c = DType::f32;  // or low
  bool bias = false;                                     // an f32 row added to every row of C
  bool accumulate = false;                               // C += …; C must be f32 then
  bool operator==(const MatmulSpec&) const = default;
};

// A matrix product compiled for one shape, in the way that is fastest for it here: our own kernels
// (PackedGemm, Gemv) or the library's (LibraryTiles). Gives the same bits for any number of
// threads: the output is cut into tiles by its shape only, each computed by one thread.
//
// f16 operands, and bf16 ones where the CPU has no native product of them, are widened to f32 in
// the workspace and the result is rounded: the same meaning, at f32's speed.
//
// run() is not reentrant for one object: the library's argument tables are kept in it.
class CpuMatmul {
 public:
  explicit CpuMatmul(const MatmulSpec& spec);
  ~CpuMatmul();
  CpuMatmul(CpuMatmul&&) noexcept;
  CpuMatmul& operator=(CpuMatmul&&) noexcept;

  int64_t workspace_bytes() const;
  LibraryMemory library_memory() const;
  // Throws Error where the library fails, which needs memory of its own for a moment.
  void run(const void* a, const void* b, const void* bias, void* c, std::byte* workspace) const;

 private:
  std::unique_ptr<CpuProduct> product_;
};

// Makes what the library needs once a thread, for all threads that kernels use, so that no later
// run() has to.
void cpu_matmul_prepare_threads();

// The library's name, version and the instruction set that it chose (its own number): what, beside
// the shapes and cpu_isa(), the bits of a product depend on.
std::string cpu_matmul_library();

// Whether bf16 products run natively here rather than through f32.
bool cpu_matmul_has_native_bf16();

}  // namespace anneal
