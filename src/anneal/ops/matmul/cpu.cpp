#include "anneal/ops/matmul/cpu.hpp"

#include "anneal/device/cpu/matmul.hpp"
#include "anneal/ops/matmul/extents.hpp"
#include "anneal/ops/matmul/matmul.hpp"

namespace anneal {
namespace {

class MatmulKernel final : public Kernel {
 public:
  explicit MatmulKernel(const MatmulSpec& spec) : product_(spec), bias_(spec.bias) {}
  int64_t workspace_bytes() const override { return product_.workspace_bytes(); }
  LibraryMemory library_memory() const override { return product_.library_memory(); }
  void run(const KernelArgs& args) const override {
    product_.run(args.in[0], args.in[1], bias_ ? args.in[2] : nullptr, args.out[0], args.workspace);
  }

 private:
  CpuMatmul product_;
  bool bias_;
};

}  // namespace

std::unique_ptr<Kernel> make_matmul_kernel(const OpCall& call) {
  MatmulExtents e = matmul_extents(call);
  const auto& attrs = call.attrs.as<MatmulAttrs>();
  bool bias = call.has(2), accumulate = call.has(3);
  if (accumulate && call.out[0].dtype != DType::f32) return nullptr;
  return std::make_unique<MatmulKernel>(MatmulSpec{.m = e.m,
                                                   .n = e.n,
                                                   .k = e.k,
                                                   .trans_a = attrs.trans_a,
                                                   .trans_b = attrs.trans_b,
                                                   .a = call.input(0).dtype,
                                                   .b = call.input(1).dtype,
                                                   .c = call.out[0].dtype,
                                                   .bias = bias,
                                                   .accumulate = accumulate});
}

}  // namespace anneal
