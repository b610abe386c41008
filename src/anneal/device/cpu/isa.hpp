#pragma once

#include <string_view>

namespace anneal {

// The instruction sets that every kernel source (FILE.kernel.cpp) is compiled for. Each has the
// namespace of its name, anneal::portable, anneal::avx2 and anneal::avx512, and a kernel source
// defines everything in `namespace anneal::ANNEAL_ISA`, the macro being the build's.
//
//   portable  what the compiler assumes by default (SSE2 on x86-64)
//   avx2      AVX2, FMA and F16C
//   avx512    AVX-512 F, BW, VL and DQ, and all of avx2
//
// An op declares its kernels once for all three by naming their type, and picks at run time:
//
//   // gelu/kernel.hpp                               // gelu/gelu.kernel.cpp
//   using GeluKernel = void(const float*, …);        namespace anneal::ANNEAL_ISA {
//   namespace portable { GeluKernel gelu; }          void gelu(const float* x, …) { … }
//   namespace avx2 { GeluKernel gelu; }              }
//   namespace avx512 { GeluKernel gelu; }
//                                                    // gelu/cpu.cpp
//                                                    pick(portable::gelu, avx2::gelu,
//                                                         avx512::gelu)(x, …);
//
// Several kernels go together as one struct of function pointers: `extern const GeluKernels gelu;`
// in each namespace. A kernel source must not call inline functions or templates of other
// namespaces (std::min, Shape, bf16's conversions …) unless they are certain to be inlined: their
// out-of-line copies are shared by the whole program, and the AVX-512 one could win.
enum class Isa { portable, avx2, avx512 };

std::string_view name_of(Isa isa);

// The best set that this CPU and operating system support.
Isa best_isa();

// The set named `request`; `best` if it is empty. Throws UsageError for an unknown name and for
// more than `best`.
Isa parse_isa(std::string_view request, Isa best);

// The set that kernels run with: best_isa(), or what the environment variable ANNEAL_ISA lowers it
// to (UsageError if it cannot be had). Read once, at the first call.
Isa cpu_isa();

// The one of three that cpu_isa() names: functions or small structs of function pointers.
template <class F>
F pick(F portable, F avx2, F avx512) {
  switch (cpu_isa()) {
    case Isa::portable:
      break;
    case Isa::avx2:
      return avx2;
    case Isa::avx512:
      return avx512;
  }
  return portable;
}

}  // namespace anneal
