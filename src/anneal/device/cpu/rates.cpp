#include "anneal/device/cpu/rates.hpp"

#include <algorithm>
#include <vector>

#include "anneal/device/arena.hpp"
#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/memory_rates_kernel.hpp"
#include "anneal/device/cpu/parallel.hpp"

namespace anneal {
namespace {

// Seconds of the fastest of several calls: what the machine can do, not what else it was doing.
template <class F>
double fastest(int runs, const F& f) {
  double best = 1e30;
  for (int i = 0; i < runs; ++i) {
    int64_t begin = now_ns();
    f();
    best = std::min(best, static_cast<double>(now_ns() - begin) * 1e-9);
  }
  return best;
}

struct Arrays {
  explicit Arrays(int64_t floats)
      : n(floats),
        memory(3 * floats * 4),
        a(reinterpret_cast<float*>(memory.at(0))),
        b(a + floats),
        c(b + floats) {}
  int64_t n;
  Arena memory;
  float *a, *b, *c;
};

}  // namespace

double measure_product_flops(DType dtype) {
  // Whole tiles for every thread of a large machine, and some milliseconds on a small one.
  constexpr int64_t extent = 1024;
  if (dtype == DType::bf16 && !cpu_matmul_has_native_bf16()) return 0;
  int64_t bytes = extent * extent * size_of(dtype);
  MatmulSpec spec{.m = extent, .n = extent, .k = extent, .a = dtype, .b = dtype};
  CpuMatmul product(spec);
  Arena memory(2 * bytes + extent * extent * 4 + product.workspace_bytes());
  std::byte* c = memory.at(2 * bytes);
  double seconds = fastest(6, [&] {
    product.run(memory.at(0), memory.at(bytes), nullptr, c,
                memory.at(2 * bytes + extent * extent * 4));
  });
  return 2.0 * extent * extent * extent / seconds;
}

MachineRates measure_rates() {
  const auto& kernels = *pick(&portable::memory_rates, &avx2::memory_rates, &avx512::memory_rates);
  constexpr int64_t far = int64_t{1} << 24;   // 64 MiB an array
  constexpr int64_t near = int64_t{1} << 13;  // 32 KiB an array
  constexpr int64_t grain = int64_t{1} << 14;
  MachineRates rates;
  rates.f32_flops = measure_product_flops(DType::f32);
  rates.bf16_flops = measure_product_flops(DType::bf16);
  Arrays large(far);
  auto rate_of = [&](double bytes, const auto& kernel) {
    return bytes / fastest(4, [&] {
             parallel_ranges(far, grain,
                             [&](int64_t begin, int64_t end) { kernel(begin, end - begin); });
           });
  };
  rates.triad_bytes = rate_of(12.0 * far, [&](int64_t at, int64_t n) {
    kernels.triad(large.a + at, large.b + at, large.c + at, n);
  });
  rates.streaming_triad_bytes = rate_of(12.0 * far, [&](int64_t at, int64_t n) {
    kernels.streaming_triad(large.a + at, large.b + at, large.c + at, n);
  });
  rates.read_bytes = rate_of(
      4.0 * far, [&](int64_t at, int64_t n) { large.c[at] = kernels.sum(large.a + at, n); });
  constexpr int repeats = 50;
  int threads = thread_count();
  Arrays small(near * threads);
  double seconds = fastest(4, [&] {
    parallel_for(threads, [&](int64_t t) {
      for (int i = 0; i < repeats; ++i)
        kernels.triad(small.a + t * near, small.b + t * near, small.c + t * near, near);
    });
  });
  rates.cached_bytes = 12.0 * near * threads * repeats / seconds;
  return rates;
}

}  // namespace anneal
