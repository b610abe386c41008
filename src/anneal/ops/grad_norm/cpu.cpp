#include "anneal/ops/grad_norm/cpu.hpp"

#include <algorithm>
#include <cmath>

#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ops/grad_norm/grad_norm.hpp"
#include "anneal/ops/grad_norm/kernel.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_sum_squares_kernel(const OpCall& call) {
  int64_t n = call.input(0).shape.elements();
  int64_t blocks = (n + sum_squares_block - 1) / sum_squares_block;
  auto run = pick(portable::sum_squares_f32, avx2::sum_squares_f32, avx512::sum_squares_f32);
  return make_kernel(
      [=](const KernelArgs& args) {
        auto* partial = reinterpret_cast<double*>(args.workspace);
        parallel_for(blocks, [&](int64_t i) {
          int64_t begin = i * sum_squares_block;
          partial[i] = run(args.input<float>(0) + begin, std::min(sum_squares_block, n - begin));
        });
        double sum = 0;
        for (int64_t i = 0; i < blocks; ++i) sum += partial[i];
        *args.output<double>(0) = sum;
      },
      blocks * 8);
}

std::unique_ptr<Kernel> make_grad_norm_kernel(const OpCall& call) {
  return make_kernel([count = static_cast<int>(call.in.size())](const KernelArgs& args) {
    double sum = 0;
    for (int i = 0; i < count; ++i) sum += *args.input<double>(i);
    *args.output<float>(0) = static_cast<float>(std::sqrt(sum));
  });
}

}  // namespace anneal
