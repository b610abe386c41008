#include "anneal/ops/matmul/cpu.hpp"

#include "anneal/device/cpu/matmul.hpp"
#include "anneal/ops/matmul/extents.hpp"
#include "anneal/ops/matmul/matmul.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_matmul_kernel(const OpCall& call) {
  MatmulExtents e = matmul_extents(call);
  const auto& attrs = call.attrs.as<MatmulAttrs>();
  bool bias = call.has(2), accumulate = call.has(3);
  if (accumulate && call.out[0].dtype != DType::f32) return nullptr;
  auto product = std::make_shared<CpuMatmul>(MatmulSpec{.m = e.m,
                                                        .n = e.n,
                                                        .k = e.k,
                                                        .trans_a = attrs.trans_a,
                                                        .trans_b = attrs.trans_b,
                                                        .a = call.input(0).dtype,
                                                        .b = call.input(1).dtype,
                                                        .c = call.out[0].dtype,
                                                        .bias = bias,
                                                        .accumulate = accumulate});
  return make_kernel(
      [product, bias](const KernelArgs& args) {
        product->run(args.in[0], args.in[1], bias ? args.in[2] : nullptr, args.out[0],
                     args.workspace);
      },
      product->workspace_bytes());
}

}  // namespace anneal
