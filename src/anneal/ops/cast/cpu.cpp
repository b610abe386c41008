#include "anneal/ops/cast/cpu.hpp"

#include "anneal/device/cpu/convert.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_cast_kernel(const OpCall& call) {
  int64_t n = call.out[0].shape.elements();
  DType from = call.input(0).dtype, to = call.out[0].dtype;
  if (from == DType::f32 && is_low(to))
    return make_kernel(
        [=](const KernelArgs& args) { narrow(args.input<float>(0), args.out[0], to, n); });
  if (is_low(from) && to == DType::f32)
    return make_kernel(
        [=](const KernelArgs& args) { widen(args.in[0], from, args.output<float>(0), n); });
  return nullptr;
}

}  // namespace anneal
