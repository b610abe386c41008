#include "anneal/device/cpu/simd.hpp"
#include "anneal/ops/embedding/kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

template <class T>
void add_row(const T* from, float* to, int64_t n) {
  for_vectors(n, [&](int64_t i, auto lanes) {
    store(to + i, load(to + i, lanes) + load(from + i, lanes), lanes);
  });
}

}  // namespace

const EmbeddingKernels embedding_kernels = {add_row<float>, add_row<bf16>};

}  // namespace anneal::ANNEAL_ISA
