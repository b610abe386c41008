#include "anneal/ops/collective/cpu.hpp"

#include <cstring>

#include "anneal/device/cpu/parallel.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_collective_kernel(const OpCall& call) {
  if (call.input(0).dtype != call.out[0].dtype) return nullptr;
  return make_kernel([bytes = call.out[0].bytes()](const KernelArgs& args) {
    if (args.out[0] == args.in[0]) return;
    parallel_ranges(bytes, 1 << 17, [&](int64_t begin, int64_t end) {
      std::memcpy(args.output<std::byte>(0) + begin, args.input<std::byte>(0) + begin,
                  static_cast<size_t>(end - begin));
    });
  });
}

}  // namespace anneal
