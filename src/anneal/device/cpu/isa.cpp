#include "anneal/device/cpu/isa.hpp"

#include <cstdlib>

#include "anneal/base/error.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace anneal {
namespace {

constexpr Isa all_isas[] = {Isa::portable, Isa::avx2, Isa::avx512};

#if defined(__x86_64__)
// clang's __builtin_cpu_supports does not know F16C: CPUID leaf 1, ECX bit 29.
bool cpu_has_f16c() {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c >> 29 & 1);
}
#endif

}  // namespace

std::string_view name_of(Isa isa) {
  switch (isa) {
    case Isa::portable:
      return "portable";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
  }
  return "unknown";
}

Isa best_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && cpu_has_f16c();
  bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return avx512 ? Isa::avx512 : avx2 ? Isa::avx2 : Isa::portable;
#else
  return Isa::portable;
#endif
}

Isa parse_isa(std::string_view request, Isa best) {
  if (request.empty()) return best;
  for (Isa isa : all_isas) {
    if (name_of(isa) != request) continue;
    if (isa > best)
      throw UsageError(str("[ANNEAL_ISA] this CPU does not support ", request, ", its best is ",
                           name_of(best), " (unset the environment variable ANNEAL_ISA)"));
    return isa;
  }
  throw UsageError(str("[ANNEAL_ISA] unknown instruction set '", request,
                       "', expected portable, avx2 or avx512 (unset the environment variable "
                       "ANNEAL_ISA)"));
}

Isa cpu_isa() {
  static const Isa isa = [] {
    const char* request = std::getenv("ANNEAL_ISA");
    return parse_isa(request ? request : "", best_isa());
  }();
  return isa;
}

}  // namespace anneal
