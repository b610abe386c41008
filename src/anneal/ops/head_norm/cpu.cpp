#include "anneal/ops/head_norm/cpu.hpp"

#include <algorithm>

#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ops/head_norm/head_norm.hpp"
#include "anneal/ops/head_norm/kernel.hpp"
#include "anneal/ops/reduce/kernel.hpp"

namespace anneal {
namespace {

constexpr int64_t grain = 1 << 14;  // elements a task
constexpr int64_t max_slices = 128;
constexpr int64_t min_slice_rows = 8;

const HeadNormKernels& kernels(const OpCall& call) {
  return pick(&portable::head_norm, &avx2::head_norm, &avx512::head_norm)->of(low_dtype(call));
}
bool low(const TensorType& type) { return is_low(type.dtype); }
const std::byte* at(const void* p, int64_t bytes) {
  return static_cast<const std::byte*>(p) + bytes;
}
std::byte* at(void* p, int64_t bytes) { return static_cast<std::byte*>(p) + bytes; }

}  // namespace

std::unique_ptr<Kernel> make_head_norm_kernel(const OpCall& call) {
  const Shape& shape = call.input(0).shape;
  const TensorType &x = call.input(0), &y = call.out[0];
  return make_kernel([a = call.attrs.as<HeadNormAttrs>(),
                      run = kernels(call).forward[low(x)][low(y)], rows = shape.rows(),
                      columns = shape[-1], x_size = size_of(x.dtype),
                      y_size = size_of(y.dtype)](const KernelArgs& args) {
    parallel_ranges(rows, std::max<int64_t>(1, grain / columns), [&](int64_t begin, int64_t end) {
      run({.x = at(args.in[0], begin * columns * x_size),
           .gain = {args.input<float>(1), args.input<float>(2)},
           .eps = static_cast<float>(a.eps),
           .rows = end - begin,
           .heads = a.heads,
           .kv_heads = a.kv_heads,
           .d = a.head_dim,
           .y = at(args.out[0], begin * columns * y_size),
           .rstd = args.output<float>(1) + begin * (a.heads + a.kv_heads)});
    });
  });
}

// Rows are cut into slices by shape only. Each sums its part of the gains' gradients into the
// workspace; the slices are then added in order.
std::unique_ptr<Kernel> make_head_norm_grad_kernel(const OpCall& call) {
  const Shape& shape = call.input(1).shape;
  const int64_t rows = shape.rows(), d = call.attrs.as<HeadNormAttrs>().head_dim;
  const int64_t slice_rows = std::max(min_slice_rows, (rows + max_slices - 1) / max_slices);
  const int64_t slices = (rows + slice_rows - 1) / slice_rows;
  const TensorType &dy = call.input(0), &x = call.input(1), &dx = call.out[0];
  return make_kernel(
      [=, a = call.attrs.as<HeadNormAttrs>(), columns = shape[-1],
       run = kernels(call).backward[low(dy)][low(x)][low(dx)],
       add = pick(&portable::reduce, &avx2::reduce, &avx512::reduce)->of(DType::f32).sum_rows[0],
       from_q = call.has(5), from_k = call.has(6), dy_size = size_of(dy.dtype),
       x_size = size_of(x.dtype), dx_size = size_of(dx.dtype)](const KernelArgs& args) {
        auto* partial = reinterpret_cast<float*>(args.workspace);
        parallel_for(slices, [&](int64_t slice) {
          int64_t begin = slice * slice_rows;
          run({.dy = at(args.in[0], begin * columns * dy_size),
               .x = at(args.in[1], begin * columns * x_size),
               .gain = {args.input<float>(2), args.input<float>(3)},
               .rstd = args.input<float>(4) + begin * (a.heads + a.kv_heads),
               .rows = std::min(slice_rows, rows - begin),
               .heads = a.heads,
               .kv_heads = a.kv_heads,
               .d = d,
               .dx = at(args.out[0], begin * columns * dx_size),
               .dgain = partial + slice * 2 * d});
        });
        add(partial, slices, 2 * d, d, from_q, args.output<float>(1));
        add(partial + d, slices, 2 * d, d, from_k, args.output<float>(2));
      },
      slices * 2 * d * 4);
}

}  // namespace anneal
