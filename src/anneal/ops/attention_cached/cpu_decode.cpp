#include <algorithm>

#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ops/attention/forward.hpp"
#include "anneal/ops/attention_cached/attention_cached.hpp"
#include "anneal/ops/attention_cached/cpu.hpp"
#include "anneal/ops/attention_cached/decode_kernel.hpp"

namespace anneal {
namespace {

constexpr int64_t least_keys = 128;  // of a part
constexpr int64_t most_parts = 64;

// One position. The keys are cut into parts, so that few key heads keep all threads busy; how
// follows from the position and the window alone.
class DecodeKernel final : public Kernel {
 public:
  explicit DecodeKernel(const OpCall& call)
      : attrs_(call.attrs.as<AttentionAttrs>()),
        context_(call.input(1).shape[1]),
        padded_(round_up(attrs_.head_dim, 16)),
        packed_(call.input(0).dtype),
        cache_(call.input(1).dtype),
        out_(call.out[0].dtype) {
    q_floats_ = attrs_.heads * padded_;
    int64_t parts = std::min(most_parts, (context_ + least_keys - 1) / least_keys);
    statistics_ = round_up(parts * attrs_.heads, 16);
    sum_v_floats_ = parts * attrs_.heads * padded_;
  }

  // The query heads, later the results; the parts' sums, largest scores and sums of weights.
  int64_t workspace_bytes() const override {
    return (q_floats_ + sum_v_floats_ + 2 * statistics_) * 4;
  }

  void run(const KernelArgs& args) const override {
    int64_t start = std::clamp<int64_t>(*args.input<int32_t>(3), 0, context_);
    int64_t heads = attrs_.heads, dim = attrs_.head_dim;
    auto* q = reinterpret_cast<float*>(args.workspace);
    float* sum_v = q + q_floats_;
    float* largest = sum_v + sum_v_floats_;
    float* sum = largest + statistics_;
    // The packed row is a row for each head.
    AttentionRows rows = rows_at(args.in[0], packed_, 0, dim);
    if (start < context_)
      for (int64_t head = 0; head < 2 * attrs_.kv_heads; ++head) {
        int output = head < attrs_.kv_heads ? 1 : 2;
        int64_t row = head % attrs_.kv_heads * context_ + start;
        attention_.load_rows(rows, heads + head, 1, dim, 1.0f, q, padded_);
        attention_.store_rows(q, padded_, rows_at(args.out[output], cache_, 0, dim), row, 1, dim);
      }
    attention_.load_rows(rows, 0, heads, dim, static_cast<float>(attrs_.scale), q, padded_);

    int64_t end = std::min(start + 1, context_),
            begin = std::max<int64_t>(0, start - attrs_.reach());
    int64_t length = least_keys;
    while (end - begin > most_parts * length) length *= 2;
    int64_t parts = (end - begin + length - 1) / length, group = attrs_.group();
    parallel_for_dynamic(parts * attrs_.kv_heads, [&](int64_t task) {
      int64_t part = task / attrs_.kv_heads, kv_head = task % attrs_.kv_heads;
      int64_t first = begin + part * length, at = part * heads + kv_head * group;
      int64_t row = (kv_head * context_ + first) * dim;
      decode_.attend({.q = q + kv_head * group * padded_,
                      .heads = group,
                      .dim = dim,
                      .padded = padded_,
                      .k = rows_at(args.out[1], cache_, row, dim).data,
                      .v = rows_at(args.out[2], cache_, row, dim).data,
                      .cache = cache_,
                      .keys = std::min(length, end - first),
                      .sum_v = sum_v + at * padded_,
                      .largest = largest + at,
                      .sum = sum + at});
    });
    for (int64_t head = 0; head < heads; ++head)
      decode_.join({.sum_v = sum_v + head * padded_,
                    .largest = largest + head,
                    .sum = sum + head,
                    .parts = parts,
                    .stride = heads,
                    .padded = padded_,
                    .out = q + head * padded_});
    attention_.store_rows(q, padded_, rows_at(args.out[0], out_, 0, dim), 0, heads, dim);
  }

 private:
  const AttentionKernels& attention_ =
      *pick(&portable::attention, &avx2::attention, &avx512::attention);
  const DecodeKernels& decode_ = *pick(&portable::decode, &avx2::decode, &avx512::decode);
  AttentionAttrs attrs_;
  int64_t context_, padded_;
  DType packed_, cache_, out_;
  int64_t q_floats_, sum_v_floats_, statistics_;
};

}  // namespace

std::unique_ptr<Kernel> make_decode_kernel(const OpCall& call) {
  return std::make_unique<DecodeKernel>(call);
}

}  // namespace anneal
