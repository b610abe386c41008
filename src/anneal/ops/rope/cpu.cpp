#include "anneal/ops/rope/cpu.hpp"

#include <algorithm>
#include <vector>

#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ops/rope/kernel.hpp"
#include "anneal/ops/rope/rope.hpp"

namespace anneal {
namespace {

constexpr int64_t largest_half = 512;

}  // namespace

std::unique_ptr<Kernel> make_rope_kernel(const OpCall& call) {
  const auto& a = call.attrs.as<RopeAttrs>();
  const Shape& shape = call.input(0).shape;
  int64_t batch = shape[0], sequence = shape[1], columns = shape[2], half = a.turned() / 2;
  if (half > largest_half) return nullptr;
  std::vector<double> frequency = rope_frequencies(a);
  int64_t heads = a.heads + a.kv_heads, rest = a.kv_heads * a.head_dim;
  int64_t still = a.head_dim - a.turned();
  double sign = a.inverse ? -1 : 1;
  DType in = call.input(0).dtype, out = call.out[0].dtype;
  const auto& kernels = pick(&portable::rope_kernels, &avx2::rope_kernels, &avx512::rope_kernels)
                            ->of(low_dtype(call));
  return make_kernel([=, turns = kernels.turns, turn = kernels.turn[is_low(in)][is_low(out)],
                      x_bytes = columns * size_of(in),
                      y_bytes = columns * size_of(out)](const KernelArgs& args) {
    const int32_t* positions = args.input<int32_t>(1);
    // A task has one place of every sequence: where they are at the same position, as in
    // training, its angles are computed once.
    parallel_for(sequence, [&](int64_t t) {
      float cosine[largest_half], sine[largest_half];
      int64_t known = -1;
      for (int64_t s = 0; s < batch; ++s) {
        int64_t row = s * sequence + t;
        if (known != positions[row]) {
          known = positions[row];
          turns(sign * static_cast<double>(known), frequency.data(), half, cosine, sine);
        }
        turn(args.input<std::byte>(0) + row * x_bytes, args.output<std::byte>(0) + row * y_bytes,
             cosine, sine, heads, half, still, rest);
      }
    });
  });
}

}  // namespace anneal
