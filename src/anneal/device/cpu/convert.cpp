#include "anneal/device/cpu/convert.hpp"

#include "anneal/device/cpu/convert_kernel.hpp"
#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/parallel.hpp"

namespace anneal {
namespace {
constexpr int64_t grain = 1 << 15;
}

void widen_bf16(const bf16* from, float* to, int64_t n) {
  auto* kernel = pick(portable::widen_range, avx2::widen_range, avx512::widen_range);
  parallel_ranges(
      n, grain, [&](int64_t begin, int64_t end) { kernel(from + begin, to + begin, end - begin); });
}

void narrow_to_bf16(const float* from, bf16* to, int64_t n) {
  auto* kernel = pick(portable::narrow_range, avx2::narrow_range, avx512::narrow_range);
  parallel_ranges(
      n, grain, [&](int64_t begin, int64_t end) { kernel(from + begin, to + begin, end - begin); });
}

}  // namespace anneal
