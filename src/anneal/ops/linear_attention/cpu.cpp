#include "anneal/ops/linear_attention/cpu.hpp"

#include "anneal/ops/linear_attention/chunk.hpp"

namespace anneal {

// A task is one head of one sequence: its chunks follow one another.
std::unique_ptr<Kernel> make_linear_attention_kernel(const OpCall& call) {
  LinearAttentionForward forward(call.attrs.as<LinearAttentionAttrs>());
  int64_t heads = forward.sizes.attrs.heads, d = forward.sizes.attrs.head_dim;
  int64_t batch = call.input(0).shape[0], positions = call.input(0).shape[1];
  int64_t state = round_up(forward.sizes.state_floats(), 16);
  TaskScratch scratch(batch * heads, state + forward.scratch_floats());
  DType in = call.input(0).dtype, out = call.out[0].dtype;
  return make_kernel(
      [=](const KernelArgs& args) {
        scratch.run(args.workspace, [&](int64_t task, float* floats) {
          int64_t b = task / heads, h = task % heads;
          forward.run(head_of(forward.sizes.attrs, args.in[0], in, b * positions, h),
                      rows_at(args.out[0], out, (b * positions * heads + h) * d, heads * d),
                      positions, floats, true, false, args.output<float>(1) + task * positions,
                      floats + state);
        });
      },
      scratch.workspace_bytes());
}

}  // namespace anneal
