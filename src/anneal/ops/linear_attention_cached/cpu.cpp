#include "anneal/ops/linear_attention_cached/cpu.hpp"

#include "anneal/ops/linear_attention/chunk.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_linear_attention_cached_kernel(const OpCall& call) {
  LinearAttentionForward forward(call.attrs.as<LinearAttentionAttrs>());
  int64_t heads = forward.sizes.attrs.heads, d = forward.sizes.attrs.head_dim;
  int64_t positions = call.input(0).shape[1], norm = round_up(positions, 16);
  TaskScratch scratch(heads, norm + forward.scratch_floats());
  DType in = call.input(0).dtype, out = call.out[0].dtype;
  return make_kernel(
      [=](const KernelArgs& args) {
        bool empty = *args.input<int32_t>(2) <= 0;
        scratch.run(args.workspace, [&](int64_t h, float* floats) {
          float* state = args.output<float>(1) + h * forward.sizes.state_floats();
          forward.run(head_of(forward.sizes.attrs, args.in[0], in, 0, h),
                      rows_at(args.out[0], out, h * d, heads * d), positions, state, empty, true,
                      floats, floats + norm);
        });
      },
      scratch.workspace_bytes());
}

}  // namespace anneal
