#include "anneal/device/cpu/isa.hpp"
#include "anneal/ops/linear_attention/chunk.hpp"

namespace anneal {
namespace {

constexpr int64_t chunk = LinearAttentionSizes::chunk;

}  // namespace

int64_t LinearAttentionForward::scratch_floats() const {
  int64_t f = sizes.attrs.feature_dim;
  return chunk * (2 * sizes.queries + 2 * sizes.values + chunk) + f * chunk +
         round_up(sizes.features_floats(), 16);
}

void LinearAttentionForward::run(const LinearAttentionHead& head, const AttentionRows& out,
                                 int64_t n, float* state, bool empty, bool keep, float* norm,
                                 float* scratch) const {
  const auto& rows = *pick(&portable::attention, &avx2::attention, &avx512::attention);
  const auto& kernels =
      *pick(&portable::linear_attention, &avx2::linear_attention, &avx512::linear_attention);
  int64_t f = sizes.attrs.feature_dim, d = sizes.attrs.head_dim;
  ScratchParts parts(scratch);
  float* q = parts.take(chunk * sizes.queries);
  float* k = parts.take(chunk * sizes.queries);
  float* kt = parts.take(f * chunk);
  float* v = parts.take(chunk * sizes.values);
  float* sums = parts.take(chunk * sizes.values);
  float* scores = parts.take(chunk * chunk);
  float* features = parts.take(sizes.features_floats());

  for (int64_t first = 0; first < n; first += chunk) {
    int64_t count = std::min(chunk, n - first);
    rows.load_rows(head.q, first, count, f, static_cast<float>(sizes.attrs.scale), q,
                   sizes.queries);
    rows.load_transposed(head.k, first, count, f, kt, chunk);
    rows.load_rows(head.v, first, count, d, 1, v, sizes.values);
    for (int64_t t = 0; t < count; ++t) v[t * sizes.values + d] = 1;

    if (!empty) {
      kernels.features(q, count, f, sizes.queries, 0.5f, features, sizes.columns);
      kernels.multiply({.a = features,
                        .a_row = sizes.columns,
                        .b = state,
                        .b_step = sizes.values,
                        .rows = count,
                        .columns = sizes.values,
                        .length = sizes.features,
                        .out = sums,
                        .out_row = sizes.values});
    }
    kernels.multiply({.a = q,
                      .a_row = sizes.queries,
                      .b = kt,
                      .b_step = chunk,
                      .rows = count,
                      .columns = chunk,
                      .length = f,
                      .out = scores,
                      .out_row = chunk});
    kernels.weights(scores, count, chunk, scores);
    kernels.multiply({.a = scores,
                      .a_row = chunk,
                      .b = v,
                      .b_step = sizes.values,
                      .rows = count,
                      .columns = sizes.values,
                      .length = count,
                      .out = sums,
                      .out_row = sizes.values,
                      .add = !empty,
                      .terms = ChunkProduct::up_to_row});
    kernels.normalise(sums, count, d, sizes.values, norm + first);
    rows.store_rows(sums, sizes.values, out, first, count, d);

    if (keep || first + count < n) {
      rows.load_rows(head.k, first, count, f, 1, k, sizes.queries);
      kernels.features(k, count, f, sizes.queries, 1, features, sizes.columns);
      kernels.multiply({.a = features,
                        .a_row = 1,
                        .a_step = sizes.columns,
                        .b = v,
                        .b_step = sizes.values,
                        .rows = sizes.features,
                        .columns = sizes.values,
                        .length = count,
                        .out = state,
                        .out_row = sizes.values,
                        .add = !empty});
    }
    empty = false;
  }
}

}  // namespace anneal
