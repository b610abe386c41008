#include "anneal/ops/linear_attention_cached/linear_attention_cached.hpp"

namespace anneal {
namespace {

std::vector<TensorType> infer(const OpCall& call) {
  const auto& attrs = call.attrs.as<LinearAttentionAttrs>();
  const Shape& qkv = call.input(0).shape;
  ANNEAL_ASSERT(attrs.heads > 0 && attrs.feature_dim > 0 && attrs.head_dim > 0, "heads ",
                attrs.heads, ", feature_dim ", attrs.feature_dim, ", head_dim ", attrs.head_dim);
  ANNEAL_ASSERT(qkv.rank() == 3 && qkv[0] == 1 && qkv[2] == attrs.packed_columns(),
                "packed rows of ", qkv, ", expected one sequence of ", attrs.packed_columns(),
                " columns");
  const TensorType& state = call.input(1);
  ANNEAL_ASSERT(state == (TensorType{DType::f32, attrs.state_shape()}), "state ", state,
                ", expected ", attrs.state_shape());
  ANNEAL_ASSERT(call.input(2) == (TensorType{DType::i32, {}}), "start ", call.input(2));
  return {{DType::f32, {1, qkv[1], attrs.heads * attrs.head_dim}}, state};
}

// φ of f elements, with squares times `square`.
std::vector<double> features_of(const double* x, int64_t f, double scale, double square) {
  std::vector<double> phi;
  for (int64_t i = 0; i < f; ++i) phi.push_back(scale * x[i]);
  for (int64_t i = 0; i < f; ++i)
    for (int64_t j = i; j < f; ++j)
      phi.push_back((i == j ? square : 1) * scale * x[i] * scale * x[j]);
  phi.push_back(1);
  return phi;
}

void reference(const OpCall& call, std::span<const RefTensor* const> in, std::span<RefTensor> out) {
  const auto& attrs = call.attrs.as<LinearAttentionAttrs>();
  int64_t f = attrs.feature_dim, dim = attrs.head_dim, columns = attrs.packed_columns();
  int64_t features = attrs.features(), padded = attrs.state_shape()[2];
  if (in[2]->data[0] > 0)
    out[1].data = in[1]->data;
  else
    out[1].data.assign(in[1]->data.size(), 0);
  for (int64_t h = 0; h < attrs.heads; ++h)
    for (int64_t t = 0; t < call.input(0).shape[1]; ++t) {
      const double* row = in[0]->data.data() + t * columns;
      const double* v = row + 2 * attrs.heads * f + h * dim;
      auto q = features_of(row + h * f, f, attrs.scale, 0.5);
      auto k = features_of(row + (attrs.heads + h) * f, f, 1, 1);
      double* y = out[0].data.data() + (t * attrs.heads + h) * dim;
      double norm = 0;
      for (int64_t e = 0; e < features; ++e) {
        auto at = static_cast<size_t>(e);
        double* state = out[1].data.data() + (h * features + e) * padded;
        for (int64_t d = 0; d < dim; ++d) {
          state[d] += k[at] * v[d];
          y[d] += q[at] * state[d];
        }
        state[dim] += k[at];
        norm += q[at] * state[dim];
      }
      for (int64_t d = 0; d < dim; ++d) y[d] /= norm;
    }
}

Cost cost(const OpCall& call) {
  const auto& attrs = call.attrs.as<LinearAttentionAttrs>();
  Cost cost;
  cost.flops = 4 * static_cast<double>(call.input(0).shape[1] * attrs.heads * attrs.features() *
                                       attrs.head_dim);
  cost.bytes =
      static_cast<double>(call.input(0).bytes() + 2 * call.input(1).bytes() + call.out[0].bytes());
  return cost;
}

constexpr Alias in_place[] = {{.output = 1, .input = 1}};

}  // namespace

const OpDef& linear_attention_cached_op() {
  static const OpDef op = {.name = "linear_attention_cached",
                           .min_inputs = 3,
                           .max_inputs = 3,
                           .infer = infer,
                           .reference = reference,
                           .cost = cost,
                           .no_gradient = all_bits,
                           .low_accept = bit(0),
                           .low_outputs = bit(0),
                           .must_alias = in_place};
  return op;
}

CachedLinearAttention linear_attention_cached(Builder& b, Value qkv, Value state, Value start,
                                              const LinearAttentionAttrs& attrs) {
  auto out = b.emit(linear_attention_cached_op(), {qkv, state, start}, Attrs::of(attrs));
  return {out[0], out[1]};
}

}  // namespace anneal
