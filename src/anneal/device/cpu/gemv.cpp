#include "anneal/device/cpu/gemv.hpp"

#include <algorithm>

#include "anneal/device/cpu/convert.hpp"
#include "anneal/device/cpu/gemv_kernel.hpp"
#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/parallel.hpp"

namespace anneal {
namespace {

// Of B stored [k][n], a task reads whole rows unless their sums would fall out of the first-level
// cache; to have enough tasks the inner indices are cut into slices, whose sums are added in their
// order.
constexpr int64_t columns_along_n = 8192;
constexpr int64_t least_slices = 8, least_slice = 16, slice_elements = 1 << 19;
constexpr int64_t added_columns = 2048;  // by one task
// Of B stored [n][k], a task has this many elements.
constexpr int64_t grain = 1 << 15;

int64_t aligned_floats(int64_t n) { return (n + 15) / 16 * 16; }

}  // namespace

Gemv::Gemv(const MatmulSpec& spec) : spec_(spec) {
  if (spec.trans_b) return;
  int64_t slices = std::max(least_slices, spec.k * spec.n / slice_elements);
  slice_ = std::max(least_slice, (spec.k + slices - 1) / slices);
  partial_floats_ = (spec.k + slice_ - 1) / slice_ * aligned_floats(spec.n);
}

int64_t Gemv::workspace_bytes() const {
  int64_t floats = partial_floats_;
  if (is_low(spec_.a)) floats += aligned_floats(spec_.k);
  if (is_low(spec_.c)) floats += aligned_floats(spec_.n);
  return floats * 4;
}

void Gemv::run(const void* a, const void* b, const float* bias, void* c,
               std::byte* workspace) const {
  const MatmulSpec& s = spec_;
  auto* floats = reinterpret_cast<float*>(workspace);
  const auto* x = static_cast<const float*>(a);
  if (is_low(s.a)) {
    widen(a, s.a, floats, s.k);
    x = floats;
    floats += aligned_floats(s.k);
  }
  auto* y = static_cast<float*>(c);
  if (is_low(s.c)) {
    y = floats;
    floats += aligned_floats(s.n);
  }
  if (s.trans_b)
    rows_along_k(x, b, bias, y);
  else
    rows_along_n(x, b, bias, y, floats);
  if (is_low(s.c)) narrow(y, c, s.c, s.n);
}

void Gemv::rows_along_k(const float* x, const void* b, const float* bias, float* y) const {
  const auto& kernels = *pick(&portable::gemv, &avx2::gemv, &avx512::gemv);
  int64_t rows = std::max<int64_t>(4, grain / spec_.k / 4 * 4);
  parallel_ranges(spec_.n, rows, [&](int64_t begin, int64_t end) {
    kernels.rows_along_k(
        {.b = static_cast<const std::byte*>(b) + begin * spec_.k * size_of(spec_.b),
         .dtype = spec_.b,
         .leading = spec_.k,
         .x = x,
         .k = spec_.k,
         .n = end - begin,
         .y = y + begin});
    for (int64_t n = begin; bias && n < end; ++n) y[n] += bias[n];
  });
}

void Gemv::rows_along_n(const float* x, const void* b, const float* bias, float* y,
                        float* partial) const {
  const auto& kernels = *pick(&portable::gemv, &avx2::gemv, &avx512::gemv);
  int64_t parts = (spec_.n + columns_along_n - 1) / columns_along_n;
  int64_t count = (spec_.k + slice_ - 1) / slice_, stride = aligned_floats(spec_.n);
  parallel_for(parts * count, [&](int64_t task) {
    int64_t n = task / count * columns_along_n, k = task % count * slice_;
    kernels.rows_along_n(
        {.b = static_cast<const std::byte*>(b) + (k * spec_.n + n) * size_of(spec_.b),
         .dtype = spec_.b,
         .leading = spec_.n,
         .x = x + k,
         .k = std::min(slice_, spec_.k - k),
         .n = std::min(columns_along_n, spec_.n - n),
         .y = partial + task % count * stride + n});
  });
  parallel_ranges(spec_.n, added_columns, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      float sum = bias ? bias[n] : 0.0f;
      for (int64_t slice = 0; slice < count; ++slice) sum += partial[slice * stride + n];
      y[n] = sum;
    }
  });
}

}  // namespace anneal
