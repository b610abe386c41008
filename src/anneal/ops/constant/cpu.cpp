#include "anneal/ops/constant/cpu.hpp"

#include <algorithm>

#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ops/constant/constant.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_constant_kernel(const OpCall& call) {
  const auto& attrs = call.attrs.as<ConstantAttrs>();
  int64_t n = call.out[0].shape.elements();
  return visit(call.out[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return make_kernel([n, value = static_cast<T>(attrs.value)](const KernelArgs& args) {
      parallel_ranges(n, 1 << 15, [&](int64_t begin, int64_t end) {
        std::fill(args.output<T>(0) + begin, args.output<T>(0) + end, value);
      });
    });
  });
}

}  // namespace anneal
