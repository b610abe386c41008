#include "anneal/ops/columns/cpu.hpp"

#include <algorithm>

#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ops/columns/columns.hpp"
#include "anneal/ops/columns/kernel.hpp"

namespace anneal {
namespace {

const ColumnsKernels& kernels() {
  return *pick(&portable::columns_kernels, &avx2::columns_kernels, &avx512::columns_kernels);
}

ColumnRows rows_of(const void* data, const TensorType& type) {
  // Written only where it is an output.
  return {const_cast<void*>(data), type.dtype, type.shape[-1]};
}

// Rows a task.
int64_t grain(int64_t columns) { return std::max<int64_t>(1, (1 << 14) / columns); }

}  // namespace

std::unique_ptr<Kernel> make_take_columns_kernel(const OpCall& call) {
  TensorType x = call.input(0), out = call.out[0];
  int64_t first = call.attrs.as<ColumnsAttrs>().first;
  return make_kernel([=, take = kernels().take](const KernelArgs& args) {
    ColumnRows from = rows_of(args.in[0], x), to = rows_of(args.out[0], out);
    parallel_ranges(x.shape.rows(), grain(to.columns),
                    [&](int64_t begin, int64_t end) { take(from, first, to, begin, end); });
  });
}

std::unique_ptr<Kernel> make_add_columns_kernel(const OpCall& call) {
  TensorType y = call.input(0), delta = call.input(1), out = call.out[0];
  int64_t first = call.attrs.as<ColumnsAttrs>().first;
  return make_kernel([=, add = kernels().add](const KernelArgs& args) {
    ColumnRows from = rows_of(args.in[0], y), added = rows_of(args.in[1], delta);
    ColumnRows to = rows_of(args.out[0], out);
    parallel_ranges(y.shape.rows(), grain(y.shape[-1]),
                    [&](int64_t begin, int64_t end) { add(from, added, first, to, begin, end); });
  });
}

}  // namespace anneal
