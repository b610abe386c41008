#include "anneal/ops/take_row/cpu.hpp"

#include <cstring>

#include "anneal/ops/take_row/take_row.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_take_row_kernel(const OpCall& call) {
  const TensorType& x = call.input(0);
  if (x.dtype != call.out[0].dtype) return nullptr;
  int64_t batch = x.shape[0], sequence = x.shape[1], bytes = x.shape[2] * size_of(x.dtype);
  return make_kernel([=](const KernelArgs& args) {
    int64_t row = *args.input<int32_t>(1);
    for (int64_t b = 0; b < batch; ++b)
      std::memcpy(args.output<char>(0) + b * bytes,
                  args.input<char>(0) + (b * sequence + row) * bytes, static_cast<size_t>(bytes));
  });
}

}  // namespace anneal
