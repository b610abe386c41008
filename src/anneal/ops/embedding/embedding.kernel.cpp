#include "anneal/device/cpu/simd.hpp"
#include "anneal/ops/embedding/kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

template <class T>
void add_row(const void* row, float* to, int64_t n) {
  auto* from = static_cast<const T*>(row);
  for_vectors(n, [&](int64_t i, auto lanes) {
    store(to + i, load(to + i, lanes) + load(from + i, lanes), lanes);
  });
}

}  // namespace

const PerLow<EmbeddingKernels> embedding_kernels = per_low([]<class L>(Tag<L>) {
  return EmbeddingKernels{{add_row<float>, add_row<L>}};
});

}  // namespace anneal::ANNEAL_ISA
