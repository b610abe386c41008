#include "anneal/ops/linear_attention/linear_attention.hpp"

#include <algorithm>

namespace anneal {
namespace {

const LinearAttentionAttrs& attrs_of(const OpCall& call) {
  return call.attrs.as<LinearAttentionAttrs>();
}

void check_packed(const OpCall& call, size_t input) {
  const auto& attrs = attrs_of(call);
  const TensorType& packed = call.input(input);
  ANNEAL_ASSERT(attrs.heads > 0 && attrs.feature_dim > 0 && attrs.head_dim > 0, "heads ",
                attrs.heads, ", feature_dim ", attrs.feature_dim, ", head_dim ", attrs.head_dim);
  ANNEAL_ASSERT(is_f32_or_low(packed.dtype) && packed.shape.rank() == 3 &&
                    packed.shape[2] == attrs.packed_columns(),
                "packed rows of ", packed, ", expected ", attrs.packed_columns(), " columns");
}

std::vector<TensorType> infer(const OpCall& call) {
  check_packed(call, 0);
  const auto& attrs = attrs_of(call);
  const Shape& shape = call.input(0).shape;
  return {{DType::f32, {shape[0], shape[1], attrs.heads * attrs.head_dim}},
          {DType::f32, {shape[0], attrs.heads, shape[1]}}};
}

std::vector<TensorType> infer_grad(const OpCall& call) {
  check_packed(call, 1);
  const auto& attrs = attrs_of(call);
  const Shape& shape = call.input(1).shape;
  Shape out{shape[0], shape[1], attrs.heads * attrs.head_dim};
  ANNEAL_ASSERT(call.input(0).shape == out && call.input(2).shape == out, "dout ", call.input(0),
                " and out ", call.input(2), ", expected ", out);
  ANNEAL_ASSERT(call.input(3) == (TensorType{DType::f32, {shape[0], attrs.heads, shape[1]}}),
                "norm ", call.input(3));
  return {{DType::f32, shape}};
}

// Where the parts of head h of position t of sequence b start in a packed tensor.
struct Packed {
  const LinearAttentionAttrs& attrs;
  int64_t positions;
  size_t row(int64_t b, int64_t t) const {
    return static_cast<size_t>((b * positions + t) * attrs.packed_columns());
  }
  size_t q(int64_t b, int64_t t, int64_t h) const {
    return row(b, t) + static_cast<size_t>(h * attrs.feature_dim);
  }
  size_t k(int64_t b, int64_t t, int64_t h) const { return q(b, t, attrs.heads + h); }
  size_t v(int64_t b, int64_t t, int64_t h) const {
    return q(b, t, 2 * attrs.heads) + static_cast<size_t>(h * attrs.head_dim);
  }
};

double dot(const double* a, const double* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

void reference(const OpCall& call, std::span<const RefTensor* const> in, std::span<RefTensor> out) {
  const auto& attrs = attrs_of(call);
  int64_t batch = call.input(0).shape[0], positions = call.input(0).shape[1];
  Packed at{attrs, positions};
  const double* qkv = in[0]->data.data();
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < attrs.heads; ++h)
      for (int64_t t = 0; t < positions; ++t) {
        double* row = out[0].data.data() + ((b * positions + t) * attrs.heads + h) * attrs.head_dim;
        double norm = 0;
        for (int64_t s = 0; s <= t; ++s) {
          double x = attrs.scale * dot(qkv + at.q(b, t, h), qkv + at.k(b, s, h), attrs.feature_dim);
          double w = 1 + x + x * x / 2;
          norm += w;
          for (int64_t d = 0; d < attrs.head_dim; ++d) row[d] += w * qkv[at.v(b, s, h) + d];
        }
        for (int64_t d = 0; d < attrs.head_dim; ++d) row[d] /= norm;
        out[1].data[static_cast<size_t>((b * attrs.heads + h) * positions + t)] = norm;
      }
}

void reference_grad(const OpCall& call, std::span<const RefTensor* const> in,
                    std::span<RefTensor> out) {
  const auto& attrs = attrs_of(call);
  int64_t batch = call.input(1).shape[0], positions = call.input(1).shape[1];
  Packed at{attrs, positions};
  const double* qkv = in[1]->data.data();
  double* dqkv = out[0].data.data();
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < attrs.heads; ++h)
      for (int64_t t = 0; t < positions; ++t) {
        int64_t row = ((b * positions + t) * attrs.heads + h) * attrs.head_dim;
        const double* dy = in[0]->data.data() + row;
        double delta = dot(dy, in[2]->data.data() + row, attrs.head_dim);
        double inverse =
            1 / in[3]->data[static_cast<size_t>((b * attrs.heads + h) * positions + t)];
        for (int64_t s = 0; s <= t; ++s) {
          const double *q = qkv + at.q(b, t, h), *k = qkv + at.k(b, s, h);
          double x = attrs.scale * dot(q, k, attrs.feature_dim);
          double dw = inverse * (dot(dy, qkv + at.v(b, s, h), attrs.head_dim) - delta);
          double dx = attrs.scale * dw * (1 + x);
          for (int64_t f = 0; f < attrs.feature_dim; ++f) {
            dqkv[at.q(b, t, h) + f] += dx * k[f];
            dqkv[at.k(b, s, h) + f] += dx * q[f];
          }
          double w = inverse * (1 + x + x * x / 2);
          for (int64_t d = 0; d < attrs.head_dim; ++d) dqkv[at.v(b, s, h) + d] += w * dy[d];
        }
      }
}

std::vector<Value> vjp(const VjpContext& c) {
  ANNEAL_ASSERT(c.grads[0] && !c.grads[1],
                "a gradient flows into linear_attention's first output only");
  return {c.b.emit1(linear_attention_grad_op(),
                    {c.grads[0], c.inputs[0], c.outputs[0], c.outputs[1]}, c.call.attrs)};
}

// The products that some way of computing it takes at least: from the weights of all pairs for few
// positions, by way of the state for many.
std::vector<MatrixProduct> smallest_products(const OpCall& call, const TensorType& packed,
                                             int64_t times) {
  const auto& attrs = attrs_of(call);
  int64_t positions = packed.shape[1], features = attrs.features();
  std::vector<MatrixProduct> products;
  auto add = [&](int64_t n, int64_t k, double part) {
    products.push_back({.m = positions,
                        .n = n,
                        .k = k,
                        .a = packed.dtype,
                        .b = packed.dtype,
                        .count = packed.shape[0] * attrs.heads,
                        .part = part});
  };
  bool pairs = positions * (attrs.feature_dim + attrs.head_dim) < 4 * features * attrs.head_dim;
  double half = (static_cast<double>(positions) + 1) / (2 * static_cast<double>(positions));
  for (int64_t i = 0; i < times; ++i) {
    if (pairs) {
      add(positions, attrs.feature_dim, half);
      add(attrs.head_dim, positions, half);
    } else {
      add(attrs.head_dim, features, 1);
      add(features, attrs.head_dim, 1);
    }
  }
  return products;
}
std::vector<MatrixProduct> products(const OpCall& call) {
  return smallest_products(call, call.input(0), 1);
}
std::vector<MatrixProduct> products_grad(const OpCall& call) {
  return smallest_products(call, call.input(1), 2);
}

// `by_state` products of the features with the state, and the pairs within a chunk.
Cost cost_of_products(const OpCall& call, const Shape& packed, double by_state, double by_pair) {
  const auto& attrs = attrs_of(call);
  auto rows = static_cast<double>(packed[0] * packed[1] * attrs.heads);
  auto features = static_cast<double>(attrs.features()), d = static_cast<double>(attrs.head_dim);
  auto pairs = static_cast<double>(std::min<int64_t>(packed[1], 64)) / 2;
  Cost cost;
  cost.flops =
      rows * 2 *
      (by_state * features * d + by_pair * pairs * (d + static_cast<double>(attrs.feature_dim)));
  for (const auto& type : call.in) cost.bytes += static_cast<double>(type->bytes());
  for (const auto& type : call.out) cost.bytes += static_cast<double>(type.bytes());
  return cost;
}
Cost cost(const OpCall& call) { return cost_of_products(call, call.input(0).shape, 2, 1); }
Cost cost_grad(const OpCall& call) { return cost_of_products(call, call.input(1).shape, 5, 3); }

}  // namespace

const OpDef& linear_attention_op() {
  static const OpDef op = {.name = "linear_attention",
                           .min_inputs = 1,
                           .max_inputs = 1,
                           .infer = infer,
                           .reference = reference,
                           .vjp = vjp,
                           .cost = cost,
                           .products = products,
                           .low_accept = bit(0),
                           .low_outputs = bit(0)};
  return op;
}

const OpDef& linear_attention_grad_op() {
  static const OpDef op = {.name = "linear_attention_grad",
                           .min_inputs = 4,
                           .max_inputs = 4,
                           .infer = infer_grad,
                           .reference = reference_grad,
                           .cost = cost_grad,
                           .products = products_grad,
                           .low_accept = bit(0) | bit(1) | bit(2),
                           .low_outputs = bit(0)};
  return op;
}

Value linear_attention(Builder& b, Value qkv, const LinearAttentionAttrs& attrs) {
  return b.emit(linear_attention_op(), {qkv}, Attrs::of(attrs))[0];
}

}  // namespace anneal
