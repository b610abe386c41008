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

// Tasks own columns and walk the ids in order, so every table row is summed in order of position.
std::unique_ptr<Kernel> make_embedding_grad_kernel(const OpCall& call) {
  const TensorType& dy = call.input(1);
  int64_t positions = dy.shape.rows(), width = dy.shape[-1], vocab = call.out[0].shape[0];
  auto* add =
      pick(&portable::embedding_kernels, &avx2::embedding_kernels, &avx512::embedding_kernels)
          ->of(low_dtype(call))
          .add[is_low(dy.dtype)];
  return make_kernel(
      [=, accumulate = call.has(2), size = size_of(dy.dtype)](const KernelArgs& args) {
        const int32_t* ids = args.input<int32_t>(0);
        const auto* rows = args.input<std::byte>(1);
        float* table = args.output<float>(0);
        if (!accumulate)
          parallel_ranges(vocab, 256, [&](int64_t begin, int64_t end) {
            std::memset(table + begin * width, 0, static_cast<size_t>((end - begin) * width) * 4);
          });
        parallel_ranges(width, column_block, [&](int64_t begin, int64_t end) {
          for (int64_t i = 0; i < positions; ++i)
            if (ids[i] >= 0)
              add(rows + (i * width + begin) * size, table + ids[i] * width + begin, end - begin);
        });
      });
}

}  // namespace anneal
