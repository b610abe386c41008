#include "anneal/ops/dropout/cpu.hpp"

#include <algorithm>
#include <cmath>

#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ops/dropout/dropout.hpp"
#include "anneal/ops/dropout/kernel.hpp"

namespace anneal {
namespace {

constexpr int64_t grain = 1 << 13;  // elements a task

}  // namespace

std::unique_ptr<Kernel> make_dropout_kernel(const OpCall& call) {
  const auto& a = call.attrs.as<DropoutAttrs>();
  const Shape& shape = call.input(0).shape;
  int64_t samples = shape[0], inner = shape.elements() / shape[0];
  int64_t pieces = (inner + grain - 1) / grain;
  // uniform >= p in multiples of 2^-24.
  auto threshold = static_cast<uint32_t>(std::ceil(a.p * 0x1p24));
  auto scale = static_cast<float>(1 / (1 - a.p));
  DType in = call.input(0).dtype, out = call.out[0].dtype;
  auto* drop = pick(&portable::dropout_kernels, &avx2::dropout_kernels, &avx512::dropout_kernels)
                   ->of(low_dtype(call))
                   .drop[is_low(in)][is_low(out)];
  return make_kernel([=, key = a.key, x_bytes = inner * size_of(in),
                      out_bytes = inner * size_of(out)](const KernelArgs& args) {
    int64_t first = *args.input<int64_t>(1);
    parallel_for(samples * pieces, [&](int64_t task) {
      int64_t sample = task / pieces, begin = task % pieces * grain;
      drop(args.input<std::byte>(0) + sample * x_bytes,
           args.output<std::byte>(0) + sample * out_bytes,
           {key, static_cast<uint64_t>(first + sample), begin, std::min(begin + grain, inner),
            threshold, scale});
    });
  });
}

}  // namespace anneal
