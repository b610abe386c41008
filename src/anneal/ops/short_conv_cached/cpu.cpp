#include "anneal/ops/short_conv_cached/cpu.hpp"

#include <algorithm>

#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ops/short_conv/kernel.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_short_conv_cached_kernel(const OpCall& call) {
  TensorType x = call.input(0), y = call.out[0];
  const Shape& filter = call.input(1).shape;
  ShortConvSizes sizes{.columns = x.shape[2], .channels = filter[0], .taps = filter[1]};
  int64_t rows = std::max<int64_t>(1, (1 << 15) / sizes.columns);
  const auto* kernels = pick(&portable::short_conv, &avx2::short_conv, &avx512::short_conv);
  return make_kernel([=](const KernelArgs& args) {
    bool empty = *args.input<int32_t>(3) <= 0;
    ShortConvRows from{const_cast<void*>(args.in[0]), x.dtype}, to{args.out[0], y.dtype};
    // The history lies in the place of the new one: it is replaced when all rows are done.
    auto* history = args.output<float>(1);
    parallel_ranges(x.shape[1], rows, [&](int64_t begin, int64_t end) {
      kernels->forward(sizes, from, args.input<float>(1), empty ? nullptr : history, to, begin,
                       end);
    });
    kernels->advance(sizes, from, x.shape[1], empty, history);
  });
}

}  // namespace anneal
