#include "anneal/device/cpu/rates.hpp"

#include <algorithm>
#include <vector>

#include "anneal/base/memory_limit.hpp"
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

// Three arrays that follow one another.
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

constexpr int64_t grain = int64_t{1} << 14;

// Floats of an array far beyond the caches: three of them have several times a thread's usual share
// of a last-level cache. Less where that would be more than a quarter of the memory that is left.
int64_t far_floats() {
  int64_t floats = std::max(int64_t{1} << 25, thread_count() * (int64_t{1} << 20));
  floats = std::min(floats, memory_left() / 4 / 12);
  return std::max(grain, floats / grain * grain);
}

const MemoryRateKernels& memory_rate_kernels() {
  return *pick(&portable::memory_rates, &avx2::memory_rates, &avx512::memory_rates);
}

// Bytes a second of `kernel`(begin, count) over n elements.
template <class F>
double rate_of(double bytes, int64_t n, const F& kernel) {
  return bytes / fastest(4, [&] {
           parallel_ranges(n, grain,
                           [&](int64_t begin, int64_t end) { kernel(begin, end - begin); });
         });
}

// Reads all three arrays: one of them would stay in a large cache by a third and more.
double read_rate(const Arrays& arrays) {
  const auto& kernels = memory_rate_kernels();
  std::vector<float> sums(static_cast<size_t>(3 * arrays.n / grain));
  return rate_of(12.0 * static_cast<double>(arrays.n), 3 * arrays.n, [&](int64_t at, int64_t n) {
    sums[static_cast<size_t>(at / grain)] = kernels.sum(arrays.a + at, n);
  });
}

}  // namespace

double measure_product_flops(DType dtype) {
  bool native = dtype == DType::f32 || (dtype == DType::bf16 && cpu_matmul_has_native_bf16());
  if (!native) return 0;
  // Some tiles for every thread, and at least some milliseconds for a small machine.
  const int64_t rows = 512 * std::max(2, thread_count()), extent = 768;
  MatmulSpec spec{.m = rows, .n = extent, .k = extent, .a = dtype, .b = dtype};
  CpuMatmul product(spec);
  int64_t a_bytes = rows * extent * size_of(dtype), b_bytes = extent * extent * size_of(dtype);
  int64_t c_bytes = rows * extent * 4;
  Arena memory(a_bytes + b_bytes + c_bytes + product.workspace_bytes() + 64);
  // Zeros would spare the machine power, and with it time.
  parallel_ranges((a_bytes + b_bytes) / size_of(dtype), 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float x = static_cast<float>(i % 13 - 6) * 0.01f;
      if (dtype == DType::f32)
        reinterpret_cast<float*>(memory.at(0))[i] = x;
      else
        reinterpret_cast<bf16*>(memory.at(0))[i] = bf16(x);
    }
  });
  std::byte *b = memory.at(a_bytes), *c = memory.at(a_bytes + b_bytes);
  double seconds = fastest(
      3, [&] { product.run(memory.at(0), b, nullptr, c, memory.at(a_bytes + b_bytes + c_bytes)); });
  return 2.0 * static_cast<double>(rows) * static_cast<double>(extent * extent) / seconds;
}

double measure_read_bytes() { return read_rate(Arrays(far_floats())); }

MachineRates measure_rates() {
  const auto& kernels = memory_rate_kernels();
  constexpr int64_t near = int64_t{1} << 13;  // 32 KiB an array
  MachineRates rates;
  rates.f32_flops = measure_product_flops(DType::f32);
  rates.bf16_flops = measure_product_flops(DType::bf16);
  Arrays large(far_floats());
  double bytes = 12.0 * static_cast<double>(large.n);
  rates.triad_bytes = rate_of(bytes, large.n, [&](int64_t at, int64_t n) {
    kernels.triad(large.a + at, large.b + at, large.c + at, n);
  });
  rates.streaming_triad_bytes = rate_of(bytes, large.n, [&](int64_t at, int64_t n) {
    kernels.streaming_triad(large.a + at, large.b + at, large.c + at, n);
  });
  rates.read_bytes = read_rate(large);
  constexpr int repeats = 1000;
  int threads = thread_count();
  Arrays small(near * threads);
  double seconds = fastest(4, [&] {
    parallel_for(threads, [&](int64_t t) {
      for (int i = 0; i < repeats; ++i)
        kernels.triad(small.a + t * near, small.b + t * near, small.c + t * near, near);
    });
  });
  rates.cached_bytes = std::max(12.0 * near * threads * repeats / seconds, rates.triad_bytes);
  return rates;
}

}  // namespace anneal
