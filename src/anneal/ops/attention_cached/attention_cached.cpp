#include "anneal/ops/attention_cached/attention_cached.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace anneal {
namespace {

std::vector<TensorType> infer(const OpCall& call) {
  const auto& attrs = call.attrs.as<AttentionAttrs>();
  const Shape& qkv = call.input(0).shape;
  ANNEAL_ASSERT(attrs.kv_heads > 0 && attrs.heads % attrs.kv_heads == 0, "heads ", attrs.heads,
                ", kv_heads ", attrs.kv_heads);
  ANNEAL_ASSERT(qkv.rank() == 3 && qkv[0] == 1 && qkv[2] == attrs.packed_columns(),
                "packed rows of ", qkv, ", expected one sequence of ", attrs.packed_columns(),
                " columns");
  const TensorType& cache = call.input(1);
  ANNEAL_ASSERT(cache == call.input(2) && cache.shape.rank() == 3 &&
                    cache.shape[0] == attrs.kv_heads && cache.shape[2] == attrs.head_dim,
                "caches ", cache, " and ", call.input(2));
  ANNEAL_ASSERT(call.input(3).dtype == DType::i32 && call.input(3).shape.rank() == 0, "start ",
                call.input(3));
  return {{DType::f32, {1, qkv[1], attrs.heads * attrs.head_dim}}, cache, cache};
}

void reference(const OpCall& call, std::span<const RefTensor* const> in, std::span<RefTensor> out) {
  const auto& attrs = call.attrs.as<AttentionAttrs>();
  int64_t positions = call.input(0).shape[1], context = call.input(1).shape[1];
  int64_t dim = attrs.head_dim, columns = attrs.packed_columns();
  auto start = static_cast<int64_t>(in[3]->data[0]);
  const double* qkv = in[0]->data.data();
  for (size_t cache : {size_t{1}, size_t{2}}) {
    out[cache].data = in[cache]->data;
    int64_t first_head = attrs.heads + (cache == 1 ? 0 : attrs.kv_heads);
    for (int64_t h = 0; h < attrs.kv_heads; ++h)
      for (int64_t t = 0; t < positions && start + t < context; ++t)
        std::copy_n(qkv + t * columns + (first_head + h) * dim, dim,
                    out[cache].data.data() + (h * context + start + t) * dim);
  }
  std::vector<double> weight(static_cast<size_t>(context));
  for (int64_t h = 0; h < attrs.heads; ++h) {
    const double* k = out[1].data.data() + h / attrs.group() * context * dim;
    const double* v = out[2].data.data() + h / attrs.group() * context * dim;
    for (int64_t t = 0; t < positions; ++t) {
      const double* q = qkv + t * columns + h * dim;
      auto keys = static_cast<size_t>(std::min(context, start + t + 1));
      auto first = static_cast<size_t>(std::max<int64_t>(0, start + t - attrs.reach()));
      double most = -std::numeric_limits<double>::infinity(), sum = 0;
      for (size_t s = first; s < keys; ++s) {
        weight[s] = 0;
        for (int64_t d = 0; d < dim; ++d)
          weight[s] += attrs.scale * q[d] * k[static_cast<int64_t>(s) * dim + d];
        most = std::max(most, weight[s]);
      }
      for (size_t s = first; s < keys; ++s) sum += weight[s] = std::exp(weight[s] - most);
      double* row = out[0].data.data() + (t * attrs.heads + h) * dim;
      for (size_t s = first; s < keys; ++s)
        for (int64_t d = 0; d < dim; ++d)
          row[d] += weight[s] / sum * v[static_cast<int64_t>(s) * dim + d];
    }
  }
}

// As if the cache were full.
Cost cost(const OpCall& call) {
  const auto& attrs = call.attrs.as<AttentionAttrs>();
  int64_t context = call.input(1).shape[1];
  int64_t seen = std::min(context - 1, attrs.reach()) + 1;
  int64_t scores = call.input(0).shape[1] * attrs.heads * seen;
  Cost cost;
  cost.flops = 4 * static_cast<double>(scores * attrs.head_dim);
  cost.bytes = static_cast<double>(
      call.input(0).bytes() + 2 * (call.input(1).bytes() / context) * seen + call.out[0].bytes());
  return cost;
}

constexpr Alias in_place[] = {{.output = 1, .input = 1}, {.output = 2, .input = 2}};

}  // namespace

const OpDef& attention_cached_op() {
  static const OpDef op = {.name = "attention_cached",
                           .min_inputs = 4,
                           .max_inputs = 4,
                           .infer = infer,
                           .reference = reference,
                           .cost = cost,
                           .no_gradient = all_bits,
                           .low_accept = bit(0) | bit(1) | bit(2),
                           .low_outputs = bit(0),
                           .must_alias = in_place};
  return op;
}

CachedAttention attention_cached(Builder& b, Value qkv, Value k_cache, Value v_cache, Value start,
                                 const AttentionAttrs& attrs) {
  auto out = b.emit(attention_cached_op(), {qkv, k_cache, v_cache, start}, Attrs::of(attrs));
  return {out[0], out[1], out[2]};
}

}  // namespace anneal
