#include "anneal/ops/reduce/cpu.hpp"

#include <algorithm>

#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ops/elementwise/broadcast.hpp"
#include "anneal/ops/reduce/kernel.hpp"

namespace anneal {
namespace {

// FP64 sum of n elements in order, eight interleaved chains.
template <class T>
double sum_in_order(const T* x, int64_t n) {
  double chain[8] = {};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int k = 0; k < 8; ++k) chain[k] += static_cast<double>(static_cast<float>(x[i + k]));
  for (; i < n; ++i) chain[0] += static_cast<double>(static_cast<float>(x[i]));
  return ((chain[0] + chain[4]) + (chain[2] + chain[6])) +
         ((chain[1] + chain[5]) + (chain[3] + chain[7]));
}

constexpr int64_t sum_block = 1 << 16;   // elements a partial sum of a full reduction
constexpr int64_t column_block = 1024;   // columns a task
constexpr int64_t rows_per_slice = 256;  // a task; slices are added in order

template <class T>
std::unique_ptr<Kernel> scalar_sum(int64_t n, bool accumulate) {
  int64_t blocks = (n + sum_block - 1) / sum_block;
  return make_kernel(
      [=](const KernelArgs& args) {
        auto* partial = reinterpret_cast<double*>(args.workspace);
        const T* x = args.input<T>(0);
        parallel_for(blocks, [&](int64_t i) {
          partial[i] = sum_in_order(x + i * sum_block, std::min(sum_block, n - i * sum_block));
        });
        double sum = accumulate ? static_cast<double>(*args.input<float>(1)) : 0.0;
        for (int64_t i = 0; i < blocks; ++i) sum += partial[i];
        *args.output<float>(0) = static_cast<float>(sum);
      },
      blocks * 8);
}

// [rows, columns] to [columns]: slices of rows are summed side by side, then added in order.
std::unique_ptr<Kernel> column_sums(DType dtype, int64_t rows, int64_t columns, bool accumulate) {
  int64_t slices = std::max<int64_t>(1, (rows + rows_per_slice - 1) / rows_per_slice);
  int64_t blocks = (columns + column_block - 1) / column_block;
  auto* kernel =
      pick(&portable::reduce, &avx2::reduce, &avx512::reduce)->of(dtype).sum_rows[is_low(dtype)];
  return make_kernel(
      [=, size = size_of(dtype)](const KernelArgs& args) {
        auto* partial = reinterpret_cast<float*>(args.workspace);
        float* out = args.output<float>(0);
        parallel_for(slices * blocks, [&](int64_t task) {
          int64_t slice = task / blocks, column = task % blocks * column_block;
          int64_t row = slice * rows_per_slice;
          bool first = slice == 0;
          kernel(args.input<std::byte>(0) + (row * columns + column) * size,
                 std::min(rows_per_slice, rows - row), columns,
                 std::min(column_block, columns - column), first && accumulate,
                 (first ? out : partial + (slice - 1) * columns) + column);
        });
        for (int64_t slice = 1; slice < slices; ++slice)
          for (int64_t j = 0; j < columns; ++j) out[j] += partial[(slice - 1) * columns + j];
      },
      (slices - 1) * columns * 4);
}

// [rows, columns] to [rows, 1].
template <class T>
std::unique_ptr<Kernel> row_sums(int64_t rows, int64_t columns, bool accumulate) {
  return make_kernel([=](const KernelArgs& args) {
    parallel_ranges(rows, std::max<int64_t>(1, (1 << 14) / columns),
                    [&](int64_t begin, int64_t end) {
                      for (int64_t i = begin; i < end; ++i) {
                        double sum = sum_in_order(args.input<T>(0) + i * columns, columns);
                        if (accumulate) sum += static_cast<double>(args.input<float>(1)[i]);
                        args.output<float>(0)[i] = static_cast<float>(sum);
                      }
                    });
  });
}

template <class T>
std::unique_ptr<Kernel> broadcast_kernel(Broadcast form, int64_t n) {
  return make_kernel([=](const KernelArgs& args) {
    const T* x = args.input<T>(0);
    T* out = args.output<T>(0);
    parallel_ranges(n, 1 << 15, [&](int64_t begin, int64_t end) {
      for (int64_t e = begin; e < end;) {
        int64_t stop = end;
        if (form.form != Broadcast::Form::scalar)
          stop = std::min(end, e + form.period - e % form.period);
        if (form.form == Broadcast::Form::suffix)
          std::copy_n(x + e % form.period, stop - e, out + e);
        else
          std::fill(out + e, out + stop, x[form.index(e)]);
        e = stop;
      }
    });
  });
}

}  // namespace

std::unique_ptr<Kernel> make_sum_to_kernel(const OpCall& call) {
  const TensorType& from = call.input(0);
  bool accumulate = call.has(1);
  Broadcast form = broadcast_of(call.out[0].shape, from.shape);
  auto make = [&](auto tag) -> std::unique_ptr<Kernel> {
    using T = typename decltype(tag)::type;
    int64_t n = from.shape.elements();
    switch (form.form) {
      case Broadcast::Form::scalar:
        return scalar_sum<T>(n, accumulate);
      case Broadcast::Form::suffix:
        return column_sums(from.dtype, n / form.period, form.period, accumulate);
      case Broadcast::Form::column:
        return row_sums<T>(n / form.period, form.period, accumulate);
      case Broadcast::Form::same:
        return nullptr;
    }
    return nullptr;
  };
  if (!is_f32_or_low(from.dtype)) return nullptr;
  return visit(from.dtype, make);
}

std::unique_ptr<Kernel> make_broadcast_kernel(const OpCall& call) {
  const TensorType& to = call.out[0];
  if (to.dtype != call.input(0).dtype) return nullptr;
  Broadcast form = broadcast_of(call.input(0).shape, to.shape);
  if (form.form == Broadcast::Form::same) return nullptr;
  return visit(to.dtype, [&](auto tag) {
    return broadcast_kernel<typename decltype(tag)::type>(form, to.shape.elements());
  });
}

}  // namespace anneal
