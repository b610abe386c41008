#include "anneal/device/cpu/convert.hpp"

#include "anneal/device/cpu/convert_kernel.hpp"
#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/parallel.hpp"

namespace anneal {
namespace {

constexpr int64_t grain = 1 << 15;

const ConvertKernels& kernels(DType low) {
  return pick(&portable::convert, &avx2::convert, &avx512::convert)->of(low);
}

}  // namespace

void widen(const void* from, DType low, float* to, int64_t n) {
  const auto* bytes = static_cast<const std::byte*>(from);
  parallel_ranges(n, grain, [&, size = size_of(low)](int64_t begin, int64_t end) {
    kernels(low).widen(bytes + begin * size, to + begin, end - begin);
  });
}

void narrow(const float* from, void* to, DType low, int64_t n) {
  auto* bytes = static_cast<std::byte*>(to);
  parallel_ranges(n, grain, [&, size = size_of(low)](int64_t begin, int64_t end) {
    kernels(low).narrow(from + begin, bytes + begin * size, end - begin);
  });
}

}  // namespace anneal
