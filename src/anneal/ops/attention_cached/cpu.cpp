#include "anneal/ops/attention_cached/cpu.hpp"

#include <algorithm>

#include "anneal/device/cpu/isa.hpp"
#include "anneal/ops/attention/forward.hpp"
#include "anneal/ops/attention/task_scratch.hpp"
#include "anneal/ops/attention_cached/attention_cached.hpp"

namespace anneal {
namespace {

constexpr int64_t copied_rows = 16;  // a task

}  // namespace

std::unique_ptr<Kernel> make_attention_cached_kernel(const OpCall& call) {
  const auto& attrs = call.attrs.as<AttentionAttrs>();
  int64_t positions = call.input(0).shape[1], context = call.input(1).shape[1];
  if (positions == 1) return make_decode_kernel(call);
  DType packed = call.input(0).dtype, cache = call.input(1).dtype, out = call.out[0].dtype;
  ForwardTiling tiling(attrs, 1, positions);
  int64_t blocks = tiling.head_blocks();
  int64_t chunks = (positions + copied_rows - 1) / copied_rows;
  // A task of the first phase is some new rows of one key or value head.
  TaskScratch copies(2 * attrs.kv_heads * chunks, copied_rows * tiling.padded);
  TaskScratch queries(blocks * tiling.tiles(), tiling.scratch_floats());
  auto* kernels = pick(&portable::attention, &avx2::attention, &avx512::attention);

  auto run = [=](const KernelArgs& args) {
    int64_t dim = attrs.head_dim, columns = attrs.packed_columns();
    int64_t start = std::clamp<int64_t>(*args.input<int32_t>(3), 0, context);
    int64_t stored = std::min(positions, context - start);
    auto cache_rows = [&](int output, int64_t kv_head) {
      return rows_at(args.out[output], cache, kv_head * context * dim, dim);
    };
    copies.run(args.workspace, [&](int64_t task, float* rows) {
      int64_t first = task % chunks * copied_rows, head = task / chunks;
      int64_t n = std::min(copied_rows, stored - first);
      if (n <= 0) return;
      int output = head < attrs.kv_heads ? 1 : 2;
      kernels->load_rows(rows_at(args.in[0], packed, (attrs.heads + head) * dim, columns), first, n,
                         dim, 1.0f, rows, tiling.padded);
      kernels->store_rows(rows, tiling.padded, cache_rows(output, head % attrs.kv_heads),
                          start + first, n, dim);
    });
    queries.run(args.workspace, [&](int64_t task, float* scratch) {
      int64_t head = task % blocks * tiling.heads;
      ForwardHeads heads{.q = rows_at(args.in[0], packed, head * dim, columns),
                         .k = cache_rows(1, head / attrs.group()),
                         .v = cache_rows(2, head / attrs.group()),
                         .out = rows_at(args.out[0], out, head * dim, attrs.heads * dim),
                         .start = start,
                         .present = start + stored};
      heads.reach.reach = attrs.reach();
      heads.q.group = heads.out.group = tiling.heads;
      heads.q.inner = heads.out.inner = dim;
      attend(tiling, heads, tiling.tiles() - 1 - task / blocks, scratch);
    });
  };
  return make_kernel(run, std::max(copies.workspace_bytes(), queries.workspace_bytes()));
}

}  // namespace anneal
