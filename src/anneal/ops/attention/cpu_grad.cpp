#include <algorithm>

#include "anneal/device/cpu/isa.hpp"
#include "anneal/ops/attention/cpu.hpp"
#include "anneal/ops/attention/forward.hpp"
#include "anneal/ops/attention/task_scratch.hpp"

namespace anneal {
namespace {

// Gradient tile by tile. Where sequences and key heads make enough tasks, a task owns all of
// a key head's dq, dk and dv and visits every pair of tiles once. Otherwise dk and dv come from
// tasks that own a tile of keys and dq from tasks that own a tile of queries, which computes the
// scores twice. The choice follows from the shape.
class AttentionGradKernel final : public Kernel {
 public:
  explicit AttentionGradKernel(const OpCall& call);
  int64_t workspace_bytes() const override {
    return (delta_floats_ + dq_floats_) * 4 +
           std::max(
               {owners_.workspace_bytes(), by_key_.workspace_bytes(), by_query_.workspace_bytes()});
  }
  void run(const KernelArgs& args) const override;

 private:
  // One sequence's operands for one query head.
  struct Head {
    AttentionRows q, k, v, dout, dq, dk, dv;
    const float* lse;
    const float* delta;
    AttentionDropout dropout;
    AttentionReach reach;
    // The first tile of keys that the queries of a tile see.
    int64_t first_tile(int64_t tile, int64_t rows) const {
      return reach.from(tile * rows).first_key(0, tile * rows) / rows;
    }
  };
  Head head(const KernelArgs& args, int64_t b, int64_t h) const;
  int64_t tile_rows(int64_t tile) const { return std::min(tile_, positions_ - tile * tile_); }

  void compute_delta(const KernelArgs& args) const;
  void visit_keys(const KernelArgs& args, int64_t b, int64_t kv_head, int64_t tile, bool with_dq,
                  float* scratch) const;
  void visit_queries(const KernelArgs& args, int64_t b, int64_t h, int64_t tile,
                     float* scratch) const;
  AttentionBackwardTile carve(float* scratch) const;

  const AttentionKernels& kernels_ =
      *pick(&portable::attention, &avx2::attention, &avx512::attention);
  AttentionAttrs attrs_;
  int64_t batch_, positions_, padded_, tile_, tiles_;
  DType dout_, qkv_, out_, dqkv_;
  bool documents_;
  int64_t delta_floats_ = 0;  // [B,H,T]
  int64_t dq_floats_ = 0;     // [B,H,T,padded], where dq cannot grow in the output itself
  bool single_visit_ = false;
  TaskScratch owners_, by_key_, by_query_;
};

AttentionGradKernel::AttentionGradKernel(const OpCall& call)
    : attrs_(call.attrs.as<AttentionAttrs>()),
      batch_(call.input(1).shape[0]),
      positions_(call.input(1).shape[1]),
      padded_(round_up(attrs_.head_dim, 16)),
      dout_(call.input(0).dtype),
      qkv_(call.input(1).dtype),
      out_(call.input(2).dtype),
      dqkv_(call.out[0].dtype),
      documents_(call.has(5)) {
  tile_ = padded_ <= 64 ? 64 : 32;
  tiles_ = (positions_ + tile_ - 1) / tile_;
  int64_t scratch = 7 * tile_ * padded_ + (attrs_.dropout > 0 ? 2 : 1) * tile_ * tile_;
  delta_floats_ = round_up(batch_ * attrs_.heads * positions_, 16);
  int64_t owners = batch_ * attrs_.kv_heads;
  single_visit_ = owners >= 6 || tiles_ == 1;
  if (single_visit_) {
    owners_ = TaskScratch(owners, scratch);
    bool in_place = dqkv_ == DType::f32 && padded_ == attrs_.head_dim;
    if (!in_place) dq_floats_ = batch_ * attrs_.heads * positions_ * padded_;
  } else {
    by_key_ = TaskScratch(owners * tiles_, scratch);
    by_query_ = TaskScratch(batch_ * attrs_.heads * tiles_, scratch);
  }
}

AttentionGradKernel::Head AttentionGradKernel::head(const KernelArgs& args, int64_t b,
                                                    int64_t h) const {
  int64_t dim = attrs_.head_dim, columns = attrs_.packed_columns();
  int64_t key_head = attrs_.heads + h / attrs_.group(), value_head = key_head + attrs_.kv_heads;
  auto packed = [&](const void* data, DType dtype, int64_t column_head) {
    return rows_at(data, dtype, b * positions_ * columns + column_head * dim, columns);
  };
  int64_t row = (b * attrs_.heads + h) * positions_;
  AttentionDropout dropout;
  if (attrs_.dropout > 0) {
    dropout = dropout_of(attrs_, positions_, *args.input<int64_t>(4) + b);
    dropout.head = h;
  }
  AttentionReach reach{.reach = attrs_.reach()};
  if (documents_) reach.position = args.input<int32_t>(5) + b * positions_;
  return {.q = packed(args.in[1], qkv_, h),
          .k = packed(args.in[1], qkv_, key_head),
          .v = packed(args.in[1], qkv_, value_head),
          .dout = rows_at(args.in[0], dout_, (b * positions_ * attrs_.heads + h) * dim,
                          attrs_.heads * dim),
          .dq = packed(args.out[0], dqkv_, h),
          .dk = packed(args.out[0], dqkv_, key_head),
          .dv = packed(args.out[0], dqkv_, value_head),
          .lse = args.input<float>(3) + row,
          .delta = reinterpret_cast<const float*>(args.workspace) + row,
          .dropout = dropout,
          .reach = reach};
}

void AttentionGradKernel::compute_delta(const KernelArgs& args) const {
  auto* delta = reinterpret_cast<float*>(args.workspace);
  int64_t columns = attrs_.heads * attrs_.head_dim;
  AttentionRows dout = rows_at(args.in[0], dout_, 0, columns);
  AttentionRows out = rows_at(args.in[2], out_, 0, columns);
  parallel_ranges(batch_ * positions_, std::max<int64_t>(1, (1 << 14) / columns),
                  [&](int64_t begin, int64_t end) {
                    for (int64_t row = begin; row < end; ++row) {
                      int64_t b = row / positions_, t = row % positions_;
                      kernels_.head_dots(dout, out, row, attrs_.heads, attrs_.head_dim,
                                         delta + b * attrs_.heads * positions_ + t, positions_);
                    }
                  });
}

AttentionBackwardTile AttentionGradKernel::carve(float* scratch) const {
  auto take = [&](int64_t floats) {
    float* p = scratch;
    scratch += floats;
    return p;
  };
  int64_t rows = tile_ * padded_;
  AttentionBackwardTile t{.dim = attrs_.head_dim, .padded = padded_, .ld = tile_};
  t.q = take(rows), t.dout = take(rows), t.k = take(rows), t.kt = take(rows), t.vt = take(rows);
  t.dk = take(rows), t.dv = take(rows), t.scores = take(tile_ * tile_);
  if (attrs_.dropout > 0) t.dropped = take(tile_ * tile_);
  return t;
}

// dk and dv of one tile of keys, and what it adds to dq.
void AttentionGradKernel::visit_keys(const KernelArgs& args, int64_t b, int64_t kv_head,
                                     int64_t tile, bool with_dq, float* scratch) const {
  AttentionBackwardTile t = carve(scratch);
  auto* q = const_cast<float*>(t.q);
  auto* dout = const_cast<float*>(t.dout);
  auto scale = static_cast<float>(attrs_.scale);
  int64_t dim = attrs_.head_dim, key = tile * tile_, first_head = kv_head * attrs_.group();
  t.keys = tile_rows(tile);
  t.first_dkdv = true;
  Head any = head(args, b, first_head);
  kernels_.load_transposed(any.k, key, t.keys, dim, const_cast<float*>(t.kt), tile_);
  kernels_.load_transposed(any.v, key, t.keys, dim, const_cast<float*>(t.vt), tile_);
  if (with_dq) kernels_.load_rows(any.k, key, t.keys, dim, scale, const_cast<float*>(t.k), padded_);
  auto* dq = reinterpret_cast<float*>(args.workspace) + delta_floats_;
  for (int64_t h = first_head; h < first_head + attrs_.group(); ++h) {
    Head operands = head(args, b, h);
    for (int64_t query_tile = tile; query_tile < tiles_; ++query_tile) {
      int64_t query = query_tile * tile_;
      int64_t first_tile = operands.first_tile(query_tile, tile_);
      if (first_tile > tile) break;  // nor do later queries see these keys
      t.first_dq = first_tile == tile;
      t.rows = tile_rows(query_tile);
      t.reach = operands.reach.from(query);
      t.visible = query + 1 - key;
      t.lse = operands.lse + query;
      t.delta = operands.delta + query;
      t.dropout = operands.dropout;
      t.dropout.position = query;
      t.dropout.key = key;
      kernels_.load_rows(operands.q, query, t.rows, dim, scale, q, padded_);
      kernels_.load_rows(operands.dout, query, t.rows, dim, 1.0f, dout, padded_);
      if (with_dq && dq_floats_ > 0) {
        t.dq = dq + ((b * attrs_.heads + h) * positions_ + query) * padded_;
        t.dq_stride = padded_;
      } else if (with_dq) {
        t.dq = static_cast<float*>(operands.dq.data) + query * operands.dq.stride;
        t.dq_stride = operands.dq.stride;
      }
      if (query_tile + 1 < tiles_) {
        prefetch_rows(operands.q, query + tile_, tile_rows(query_tile + 1), dim);
        prefetch_rows(operands.dout, query + tile_, tile_rows(query_tile + 1), dim);
        if (with_dq && dq_floats_ == 0)
          prefetch_rows(operands.dq, query + tile_, tile_rows(query_tile + 1), dim);
      }
      kernels_.backward(t);
      t.first_dkdv = false;
    }
  }
  kernels_.store_rows(t.dk, padded_, any.dk, key, t.keys, dim);
  kernels_.store_rows(t.dv, padded_, any.dv, key, t.keys, dim);
}

// dq of one tile of queries.
void AttentionGradKernel::visit_queries(const KernelArgs& args, int64_t b, int64_t h, int64_t tile,
                                        float* scratch) const {
  AttentionBackwardTile t = carve(scratch);
  Head operands = head(args, b, h);
  auto scale = static_cast<float>(attrs_.scale);
  int64_t dim = attrs_.head_dim, query = tile * tile_;
  t.rows = tile_rows(tile);
  t.reach = operands.reach.from(query);
  t.lse = operands.lse + query;
  t.delta = operands.delta + query;
  t.dropout = operands.dropout;
  t.dropout.position = query;
  t.dq = t.dk;
  t.dq_stride = padded_;
  t.dk = t.dv = nullptr;
  kernels_.load_rows(operands.q, query, t.rows, dim, scale, const_cast<float*>(t.q), padded_);
  kernels_.load_rows(operands.dout, query, t.rows, dim, 1.0f, const_cast<float*>(t.dout), padded_);
  int64_t first_tile = operands.first_tile(tile, tile_);
  for (int64_t key_tile = first_tile; key_tile <= tile; ++key_tile) {
    int64_t key = key_tile * tile_;
    t.keys = tile_rows(key_tile);
    t.visible = query + 1 - key;
    t.dropout.key = key;
    t.first_dq = key_tile == first_tile;
    kernels_.load_transposed(operands.k, key, t.keys, dim, const_cast<float*>(t.kt), tile_);
    kernels_.load_transposed(operands.v, key, t.keys, dim, const_cast<float*>(t.vt), tile_);
    kernels_.load_rows(operands.k, key, t.keys, dim, scale, const_cast<float*>(t.k), padded_);
    kernels_.backward(t);
  }
  kernels_.store_rows(t.dq, padded_, operands.dq, query, t.rows, dim);
}

void AttentionGradKernel::run(const KernelArgs& args) const {
  compute_delta(args);
  std::byte* slots = args.workspace + (delta_floats_ + dq_floats_) * 4;
  if (single_visit_) {
    owners_.run(slots, [&](int64_t task, float* scratch) {
      int64_t b = task / attrs_.kv_heads, kv_head = task % attrs_.kv_heads;
      for (int64_t tile = 0; tile < tiles_; ++tile)
        visit_keys(args, b, kv_head, tile, true, scratch);
      if (dq_floats_ == 0) return;
      auto* dq = reinterpret_cast<const float*>(args.workspace) + delta_floats_;
      for (int64_t h = kv_head * attrs_.group(); h < (kv_head + 1) * attrs_.group(); ++h)
        kernels_.store_rows(dq + (b * attrs_.heads + h) * positions_ * padded_, padded_,
                            head(args, b, h).dq, 0, positions_, attrs_.head_dim);
    });
    return;
  }
  int64_t owners = batch_ * attrs_.kv_heads;
  by_key_.run(slots, [&](int64_t task, float* scratch) {
    int64_t owner = task % owners;
    visit_keys(args, owner / attrs_.kv_heads, owner % attrs_.kv_heads, task / owners, false,
               scratch);
  });
  int64_t heads = batch_ * attrs_.heads;
  by_query_.run(slots, [&](int64_t task, float* scratch) {
    int64_t head = task % heads;
    visit_queries(args, head / attrs_.heads, head % attrs_.heads, tiles_ - 1 - task / heads,
                  scratch);
  });
}

}  // namespace

std::unique_ptr<Kernel> make_attention_grad_kernel(const OpCall& call) {
  return std::make_unique<AttentionGradKernel>(call);
}

}  // namespace anneal
