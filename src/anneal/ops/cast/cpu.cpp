#include "anneal/ops/cast/cpu.hpp"

#include "anneal/device/cpu/convert.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_cast_kernel(const OpCall& call) {
  int64_t n = call.out[0].shape.elements();
  DType from = call.input(0).dtype, to = call.out[0].dtype;
  if (from == DType::f32 && to == DType::bf16)
    return make_kernel([n](const KernelArgs& args) {
      narrow_to_bf16(args.input<float>(0), args.output<bf16>(0), n);
    });
  if (from == DType::bf16 && to == DType::f32)
    return make_kernel(
        [n](const KernelArgs& args) { widen_bf16(args.input<bf16>(0), args.output<float>(0), n); });
  return nullptr;
}

}  // namespace anneal
