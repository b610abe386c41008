#include "anneal/ops/attention/cpu.hpp"

#include "anneal/ops/attention/forward.hpp"
#include "anneal/ops/attention/task_scratch.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_attention_kernel(const OpCall& call) {
  const auto& attrs = call.attrs.as<AttentionAttrs>();
  int64_t batch = call.input(0).shape[0], positions = call.input(0).shape[1];
  ForwardTiling tiling(attrs, batch, positions);
  int64_t blocks = batch * tiling.head_blocks();
  TaskScratch scratch(blocks * tiling.tiles(), tiling.scratch_floats());
  DType in = call.input(0).dtype, out = call.out[0].dtype;
  bool documents = call.has(2);
  return make_kernel(
      [=](const KernelArgs& args) {
        scratch.run(args.workspace, [&](int64_t task, float* floats) {
          // Late positions see the most keys: longest tasks first.
          int64_t tile = tiling.tiles() - 1 - task / blocks, block = task % blocks;
          int64_t b = block / tiling.head_blocks();
          int64_t head = block % tiling.head_blocks() * tiling.heads;
          int64_t kv_head = head / attrs.group(), dim = attrs.head_dim;
          int64_t columns = attrs.packed_columns(), first = b * positions * columns;
          ForwardHeads heads{
              .q = rows_at(args.in[0], in, first + head * dim, columns),
              .k = rows_at(args.in[0], in, first + (attrs.heads + kv_head) * dim, columns),
              .v = rows_at(args.in[0], in, first + (attrs.heads + attrs.kv_heads + kv_head) * dim,
                           columns),
              .out = rows_at(args.out[0], out, (b * positions * attrs.heads + head) * dim,
                             attrs.heads * dim),
              .start = 0,
              .present = positions,
              .lse = args.output<float>(1) + (b * attrs.heads + head) * positions};
          if (attrs.dropout > 0) {
            heads.dropout = dropout_of(attrs, positions, *args.input<int64_t>(1) + b);
            heads.dropout.head = head;
          }
          heads.reach = {.reach = attrs.reach()};
          if (documents) heads.reach.position = args.input<int32_t>(2) + b * positions;
          heads.q.group = heads.out.group = tiling.heads;
          heads.q.inner = heads.out.inner = dim;
          attend(tiling, heads, tile, floats);
        });
      },
      scratch.workspace_bytes());
}

}  // namespace anneal
