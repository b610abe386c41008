#include "anneal/ops/short_conv/cpu.hpp"

#include <algorithm>

#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ops/reduce/kernel.hpp"
#include "anneal/ops/short_conv/kernel.hpp"

namespace anneal {
namespace {

constexpr int64_t grain = 1 << 15;  // elements a task
constexpr int64_t max_slices = 128;
constexpr int64_t min_slice_rows = 32;

const ShortConvKernels& kernels() {
  return *pick(&portable::short_conv, &avx2::short_conv, &avx512::short_conv);
}

ShortConvSizes sizes_of(const Shape& x, const Shape& filter) {
  return {.columns = x[2], .channels = filter[0], .taps = filter[1]};
}

// The rows of sequence b.
ShortConvRows rows_of(const void* data, const TensorType& type, int64_t b) {
  int64_t bytes = b * type.shape[1] * type.shape[2] * size_of(type.dtype);
  // Written only where it is an output.
  return {const_cast<std::byte*>(static_cast<const std::byte*>(data)) + bytes, type.dtype};
}

// The rows of all sequences in ranges of at most `rows`, none of which crosses a sequence.
struct Ranges {
  int64_t batch, positions, rows;
  int64_t in_sequence() const { return (positions + rows - 1) / rows; }
  int64_t count() const { return batch * in_sequence(); }
  // f(sequence, begin, end) for range i.
  template <class F>
  void visit(int64_t i, F&& f) const {
    int64_t begin = i % in_sequence() * rows;
    f(i / in_sequence(), begin, std::min(begin + rows, positions));
  }
};

}  // namespace

std::unique_ptr<Kernel> make_short_conv_kernel(const OpCall& call) {
  TensorType x = call.input(0), y = call.out[0];
  ShortConvSizes sizes = sizes_of(x.shape, call.input(1).shape);
  Ranges ranges{x.shape[0], x.shape[1], std::max<int64_t>(1, grain / x.shape[2])};
  return make_kernel([=, forward = kernels().forward](const KernelArgs& args) {
    parallel_for(ranges.count(), [&](int64_t i) {
      ranges.visit(i, [&](int64_t b, int64_t begin, int64_t end) {
        forward(sizes, rows_of(args.in[0], x, b), args.input<float>(1), nullptr,
                rows_of(args.out[0], y, b), begin, end);
      });
    });
  });
}

// Rows are cut into slices by shape only. Each sums its part of the filter's gradient into the
// workspace; the slices are then added in order.
std::unique_ptr<Kernel> make_short_conv_grad_kernel(const OpCall& call) {
  TensorType dy = call.input(0), x = call.input(1), dx = call.out[0];
  ShortConvSizes sizes = sizes_of(x.shape, call.input(2).shape);
  int64_t rows = x.shape[0] * x.shape[1];
  Ranges ranges{x.shape[0], x.shape[1],
                std::max(min_slice_rows, (rows + max_slices - 1) / max_slices)};
  int64_t elements = sizes.taps * sizes.channels;
  return make_kernel(
      [=,
       add = pick(&portable::reduce, &avx2::reduce, &avx512::reduce)->of(DType::f32).sum_rows[0]](
          const KernelArgs& args) {
        auto* partial = reinterpret_cast<float*>(args.workspace);
        parallel_for(ranges.count(), [&](int64_t i) {
          ranges.visit(i, [&](int64_t b, int64_t begin, int64_t end) {
            ShortConvRows gradient = rows_of(args.in[0], dy, b);
            kernels().input_gradient(sizes, gradient, args.input<float>(2), x.shape[1],
                                     rows_of(args.out[0], dx, b), begin, end);
            kernels().filter_gradient(sizes, gradient, rows_of(args.in[1], x, b), begin, end,
                                      partial + i * elements);
          });
        });
        float* total = partial + ranges.count() * elements;
        add(partial, ranges.count(), elements, elements, false, total);
        auto* dfilter = args.output<float>(1);
        for (int64_t c = 0; c < sizes.channels; ++c)
          for (int64_t k = 0; k < sizes.taps; ++k)
            dfilter[c * sizes.taps + k] = total[k * sizes.channels + c];
      },
      (ranges.count() + 1) * elements * 4);
}

}  // namespace anneal
