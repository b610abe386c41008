#include "anneal/ops/embedding/cpu.hpp"

#include <algorithm>
#include <cstring>

#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ops/embedding/embedding.hpp"
#include "anneal/ops/embedding/kernel.hpp"

namespace anneal {
namespace {

constexpr int64_t rows_per_task = 64;
constexpr int64_t column_block = 64;  // four cache lines: two tasks never write to the same one

void add_row(const EmbeddingKernels& k, const float* from, float* to, int64_t n) {
  k.add_f32(from, to, n);
}
void add_row(const EmbeddingKernels& k, const bf16* from, float* to, int64_t n) {
  k.add_bf16(from, to, n);
}

// Tasks own columns and walk the ids in order, so every table row is summed in order of position.
template <class T>
std::unique_ptr<Kernel> grad_kernel(int64_t positions, int64_t width, int64_t vocab,
                                    bool accumulate) {
  const auto& kernels =
      *pick(&portable::embedding_kernels, &avx2::embedding_kernels, &avx512::embedding_kernels);
  return make_kernel([=, &kernels](const KernelArgs& args) {
    const int32_t* ids = args.input<int32_t>(0);
    const T* dy = args.input<T>(1);
    float* table = args.output<float>(0);
    if (!accumulate)
      parallel_ranges(vocab, 256, [&](int64_t begin, int64_t end) {
        std::memset(table + begin * width, 0, static_cast<size_t>((end - begin) * width) * 4);
      });
    parallel_ranges(width, column_block, [&](int64_t begin, int64_t end) {
      for (int64_t i = 0; i < positions; ++i)
        if (ids[i] >= 0)
          add_row(kernels, dy + i * width + begin, table + ids[i] * width + begin, end - begin);
    });
  });
}

}  // namespace

std::unique_ptr<Kernel> make_embedding_kernel(const OpCall& call) {
  if (call.input(0).dtype != DType::f32) return nullptr;
  int64_t width = call.input(0).shape[1], positions = call.input(1).shape.elements();
  return make_kernel([=](const KernelArgs& args) {
    const float* table = args.input<float>(0);
    const int32_t* ids = args.input<int32_t>(1);
    float* out = args.output<float>(0);
    parallel_ranges(positions, rows_per_task, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        if (ids[i] >= 0)
          std::copy_n(table + ids[i] * width, width, out + i * width);
        else
          std::fill_n(out + i * width, width, 0.0f);
      }
    });
  });
}

std::unique_ptr<Kernel> make_embedding_grad_kernel(const OpCall& call) {
  const TensorType& dy = call.input(1);
  int64_t width = dy.shape[-1], vocab = call.out[0].shape[0];
  if (dy.dtype == DType::f32) return grad_kernel<float>(dy.shape.rows(), width, vocab, call.has(2));
  if (dy.dtype == DType::bf16) return grad_kernel<bf16>(dy.shape.rows(), width, vocab, call.has(2));
  return nullptr;
}

}  // namespace anneal
