#include "anneal/ops/swiglu/cpu.hpp"

#include <algorithm>

#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ops/swiglu/kernel.hpp"

namespace anneal {
namespace {

constexpr int64_t grain = 1 << 14;  // elements of y a task

const SwigluKernels& kernels(const OpCall& call) {
  return pick(&portable::swiglu, &avx2::swiglu, &avx512::swiglu)->of(low_dtype(call));
}
bool low(const TensorType& type) { return is_low(type.dtype); }
const std::byte* at(const void* p, int64_t bytes) {
  return static_cast<const std::byte*>(p) + bytes;
}
std::byte* at(void* p, int64_t bytes) { return static_cast<std::byte*>(p) + bytes; }

}  // namespace

std::unique_ptr<Kernel> make_swiglu_kernel(const OpCall& call) {
  const Shape& shape = call.out[0].shape;
  return make_kernel([run = kernels(call).forward[low(call.input(0))][low(call.out[0])],
                      rows = shape.rows(), n = shape.row_length(),
                      x_size = size_of(call.input(0).dtype),
                      y_size = size_of(call.out[0].dtype)](const KernelArgs& args) {
    parallel_ranges(rows, std::max<int64_t>(1, grain / n), [&](int64_t begin, int64_t end) {
      run(at(args.in[0], begin * 2 * n * x_size), end - begin, n,
          at(args.out[0], begin * n * y_size));
    });
  });
}

std::unique_ptr<Kernel> make_swiglu_grad_kernel(const OpCall& call) {
  const Shape& shape = call.input(0).shape;
  auto run = kernels(call).backward[low(call.input(0))][low(call.input(1))][low(call.out[0])];
  return make_kernel([run, rows = shape.rows(), n = shape.row_length(),
                      dy_size = size_of(call.input(0).dtype), x_size = size_of(call.input(1).dtype),
                      dx_size = size_of(call.out[0].dtype)](const KernelArgs& args) {
    parallel_ranges(rows, std::max<int64_t>(1, grain / n), [&](int64_t begin, int64_t end) {
      run(at(args.in[0], begin * n * dy_size), at(args.in[1], begin * 2 * n * x_size), end - begin,
          n, at(args.out[0], begin * 2 * n * dx_size));
    });
  });
}

}  // namespace anneal
