#include "anneal/ops/norm/cpu.hpp"

#include <algorithm>

#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ops/norm/kernel.hpp"
#include "anneal/ops/norm/layernorm.hpp"
#include "anneal/ops/norm/rmsnorm.hpp"
#include "anneal/ops/reduce/kernel.hpp"

namespace anneal {
namespace {

constexpr int64_t grain = 1 << 14;  // elements a task
constexpr int64_t max_slices = 128;
constexpr int64_t min_slice_rows = 16;
constexpr int64_t column_block = 256;

const NormKernels& kernels(const OpCall& call) {
  return pick(&portable::norm, &avx2::norm, &avx512::norm)->of(low_dtype(call));
}
bool low(const TensorType& type) { return is_low(type.dtype); }
const std::byte* at(const void* p, int64_t bytes) {
  return static_cast<const std::byte*>(p) + bytes;
}
std::byte* at(void* p, int64_t bytes) { return static_cast<std::byte*>(p) + bytes; }

std::unique_ptr<Kernel> forward_kernel(const OpCall& call, bool layernorm, double eps) {
  const Shape& shape = call.input(0).shape;
  const auto& table = layernorm ? kernels(call).layernorm : kernels(call).rmsnorm;
  int addend = layernorm ? 3 : 2;  // the optional input, and the output that it brings
  return make_kernel([=, run = table[low(call.input(0))][low(call.out[0])], rows = shape.rows(),
                      adds = call.has(static_cast<size_t>(addend)), n = shape.row_length(),
                      x_size = size_of(call.input(0).dtype),
                      y_size = size_of(call.out[0].dtype)](const KernelArgs& args) {
    parallel_ranges(rows, std::max<int64_t>(1, grain / n), [&](int64_t begin, int64_t end) {
      run({.x = at(args.in[0], begin * n * x_size),
           .addend = adds ? args.input<float>(addend) + begin * n : nullptr,
           .sum = adds ? args.output<float>(addend) + begin * n : nullptr,
           .gain = args.input<float>(1),
           .bias = layernorm ? args.input<float>(2) : nullptr,
           .eps = static_cast<float>(eps),
           .rows = end - begin,
           .n = n,
           .y = at(args.out[0], begin * n * y_size),
           .mean = layernorm ? args.output<float>(1) + begin : nullptr,
           .rstd = args.output<float>(layernorm ? 2 : 1) + begin});
    });
  });
}

// Rows are cut into slices by shape only. Each sums its rows' part of dgain and dbias into the
// workspace; the slices are then added in order, column by column.
std::unique_ptr<Kernel> backward_kernel(const OpCall& call, bool layernorm) {
  const Shape& shape = call.input(1).shape;
  const int64_t rows = shape.rows(), n = shape.row_length();
  const int64_t slice_rows =
      std::max(min_slice_rows, (rows + max_slices - 1) / max_slices + 3) / 4 * 4;
  const int64_t slices = std::max<int64_t>(1, (rows + slice_rows - 1) / slice_rows);
  const int sums = layernorm ? 2 : 1;
  const int from = layernorm ? 5 : 4;  // the first optional input
  const auto& table = layernorm ? kernels(call).layernorm_grad : kernels(call).rmsnorm_grad;
  bool accumulate[2] = {};
  for (int k = 0; k < sums; ++k) accumulate[k] = call.has(static_cast<size_t>(from + 1 + k));
  return make_kernel(
      [=, run = table[low(call.input(0))][low(call.input(1))],
       add = pick(&portable::reduce, &avx2::reduce, &avx512::reduce)->of(DType::f32).sum_rows[0],
       dx_from = call.has(static_cast<size_t>(from)), dy_size = size_of(call.input(0).dtype),
       x_size = size_of(call.input(1).dtype)](const KernelArgs& args) {
        auto* partial = reinterpret_cast<float*>(args.workspace);
        parallel_for(slices, [&](int64_t slice) {
          int64_t begin = slice * slice_rows;
          float* sum = partial + slice * sums * n;
          run({.dy = at(args.in[0], begin * n * dy_size),
               .x = at(args.in[1], begin * n * x_size),
               .gain = args.input<float>(2),
               .mean = layernorm ? args.input<float>(3) + begin : nullptr,
               .rstd = args.input<float>(layernorm ? 4 : 3) + begin,
               .dx_from = dx_from ? args.input<float>(from) + begin * n : nullptr,
               .rows = std::min(slice_rows, rows - begin),
               .n = n,
               .dx = args.output<float>(0) + begin * n,
               .dgain = sum,
               .dbias = layernorm ? sum + n : nullptr});
        });
        int64_t blocks = (n + column_block - 1) / column_block;
        parallel_for(sums * blocks, [&](int64_t task) {
          int64_t k = task / blocks, column = task % blocks * column_block;
          add(partial + k * n + column, slices, sums * n, std::min(column_block, n - column),
              accumulate[k], args.output<float>(1 + static_cast<int>(k)) + column);
        });
      },
      slices * sums * n * 4);
}

}  // namespace

std::unique_ptr<Kernel> make_layernorm_kernel(const OpCall& call) {
  return forward_kernel(call, true, call.attrs.as<LayernormAttrs>().eps);
}
std::unique_ptr<Kernel> make_layernorm_grad_kernel(const OpCall& call) {
  return backward_kernel(call, true);
}
std::unique_ptr<Kernel> make_rmsnorm_kernel(const OpCall& call) {
  return forward_kernel(call, false, call.attrs.as<RmsnormAttrs>().eps);
}
std::unique_ptr<Kernel> make_rmsnorm_grad_kernel(const OpCall& call) {
  return backward_kernel(call, false);
}

}  // namespace anneal
