#include "anneal/ops/attention/attention.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "anneal/base/rng.hpp"

namespace anneal {
namespace {

const AttentionAttrs& attrs_of(const OpCall& call) { return call.attrs.as<AttentionAttrs>(); }

void check_packed(const OpCall& call, size_t input) {
  const auto& attrs = attrs_of(call);
  const Shape& shape = call.input(input).shape;
  ANNEAL_ASSERT(attrs.kv_heads > 0 && attrs.head_dim > 0 && attrs.heads % attrs.kv_heads == 0,
                "heads ", attrs.heads, ", kv_heads ", attrs.kv_heads);
  ANNEAL_ASSERT(shape.rank() == 3 && shape[2] == attrs.packed_columns(), "packed rows of ", shape,
                ", expected ", attrs.packed_columns(), " columns");
}

// With dropout, and only then, the call has the sample that its first sequence is.
void check_dropout(const OpCall& call, size_t first_sample) {
  const auto& attrs = attrs_of(call);
  ANNEAL_ASSERT(attrs.dropout >= 0 && attrs.dropout < 1, "dropout ", attrs.dropout);
  ANNEAL_ASSERT(call.has(first_sample) == (attrs.dropout > 0), "dropout ", attrs.dropout,
                " and first_sample do not agree");
  if (call.has(first_sample))
    ANNEAL_ASSERT(call.input(first_sample) == (TensorType{DType::i64, {}}), "first_sample ",
                  call.input(first_sample));
}

void check_bounds(const OpCall& call, size_t packed, size_t positions) {
  ANNEAL_ASSERT(attrs_of(call).window >= 0, "window ", attrs_of(call).window);
  const Shape& shape = call.input(packed).shape;
  if (call.has(positions))
    ANNEAL_ASSERT(call.input(positions) == (TensorType{DType::i32, {shape[0], shape[1]}}),
                  "positions ", call.input(positions), " for ", shape);
}

std::vector<TensorType> infer(const OpCall& call) {
  check_packed(call, 0);
  check_dropout(call, 1);
  check_bounds(call, 0, 2);
  const auto& attrs = attrs_of(call);
  const Shape& shape = call.input(0).shape;
  return {{DType::f32, {shape[0], shape[1], attrs.heads * attrs.head_dim}},
          {DType::f32, {shape[0], attrs.heads, shape[1]}}};
}

std::vector<TensorType> infer_grad(const OpCall& call) {
  check_packed(call, 1);
  check_dropout(call, 4);
  check_bounds(call, 1, 5);
  const auto& attrs = attrs_of(call);
  const Shape& shape = call.input(1).shape;
  Shape out{shape[0], shape[1], attrs.heads * attrs.head_dim};
  ANNEAL_ASSERT(call.input(0).shape == out && call.input(2).shape == out, "dout ", call.input(0),
                " and out ", call.input(2), ", expected ", out);
  ANNEAL_ASSERT(call.input(3).shape == (Shape{shape[0], attrs.heads, shape[1]}), "lse ",
                call.input(3));
  return {{DType::f32, shape}};
}

// Where head `head` of position t of sequence b starts in a packed tensor, counting query, key and
// value heads alike.
struct Packed {
  const AttentionAttrs& attrs;
  int64_t positions;
  size_t operator()(int64_t b, int64_t t, int64_t head) const {
    return static_cast<size_t>((b * positions + t) * attrs.packed_columns() +
                               head * attrs.head_dim);
  }
  int64_t key_head(int64_t head) const { return attrs.heads + head / attrs.group(); }
  int64_t value_head(int64_t head) const { return key_head(head) + attrs.kv_heads; }
};

// What each weight is multiplied by.
struct WeightFactors {
  const AttentionAttrs& attrs;
  int64_t positions;
  int64_t first_sample;
  double operator()(int64_t b, int64_t h, int64_t t, int64_t s) const {
    if (attrs.dropout == 0) return 1;
    int64_t e = (h * positions + t) * ((positions + 3) / 4 * 4) + s;
    auto words =
        philox(attrs.key, static_cast<uint64_t>(e / 4), static_cast<uint64_t>(first_sample + b));
    auto uniform = static_cast<double>(uniform_float(words[static_cast<size_t>(e % 4)]));
    return uniform >= attrs.dropout ? 1 / (1 - attrs.dropout) : 0;
  }
};

// The first key that each query sees.
struct FirstKey {
  const AttentionAttrs& attrs;
  int64_t positions;
  const RefTensor* document;  // positions within documents, or null
  FirstKey(const AttentionAttrs& a, int64_t n, std::span<const RefTensor* const> in, size_t i)
      : attrs(a), positions(n), document(in.size() > i ? in[i] : nullptr) {}
  int64_t operator()(int64_t b, int64_t t) const {
    int64_t before = std::min(t, attrs.reach());
    if (document)
      before = std::min(
          before, static_cast<int64_t>(document->data[static_cast<size_t>(b * positions + t)]));
    return t - before;
  }
};

int64_t sample_in(std::span<const RefTensor* const> in, size_t i) {
  return in.size() > i && in[i] ? static_cast<int64_t>(in[i]->data[0]) : 0;
}

double dot(const double* a, const double* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

void reference(const OpCall& call, std::span<const RefTensor* const> in, std::span<RefTensor> out) {
  const auto& attrs = attrs_of(call);
  int64_t batch = call.input(0).shape[0], positions = call.input(0).shape[1];
  Packed at{attrs, positions};
  WeightFactors factor{attrs, positions, sample_in(in, 1)};
  FirstKey first_key(attrs, positions, in, 2);
  const double* qkv = in[0]->data.data();
  std::vector<double> score(static_cast<size_t>(positions));
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < attrs.heads; ++h)
      for (int64_t t = 0; t < positions; ++t) {
        double most = -std::numeric_limits<double>::infinity(), sum = 0;
        int64_t first = first_key(b, t);
        for (int64_t s = first; s <= t; ++s) {
          double x =
              attrs.scale * dot(qkv + at(b, t, h), qkv + at(b, s, at.key_head(h)), attrs.head_dim);
          score[static_cast<size_t>(s)] = x;
          most = std::max(most, x);
        }
        for (int64_t s = first; s <= t; ++s) sum += std::exp(score[static_cast<size_t>(s)] - most);
        double lse = most + std::log(sum);
        out[1].data[static_cast<size_t>((b * attrs.heads + h) * positions + t)] = lse;
        double* row = out[0].data.data() + ((b * positions + t) * attrs.heads + h) * attrs.head_dim;
        for (int64_t s = first; s <= t; ++s) {
          double p = std::exp(score[static_cast<size_t>(s)] - lse) * factor(b, h, t, s);
          const double* v = qkv + at(b, s, at.value_head(h));
          for (int64_t d = 0; d < attrs.head_dim; ++d) row[d] += p * v[d];
        }
      }
}

void reference_grad(const OpCall& call, std::span<const RefTensor* const> in,
                    std::span<RefTensor> out) {
  const auto& attrs = attrs_of(call);
  int64_t batch = call.input(1).shape[0], positions = call.input(1).shape[1], D = attrs.head_dim;
  Packed at{attrs, positions};
  WeightFactors factor{attrs, positions, sample_in(in, 4)};
  FirstKey first_key(attrs, positions, in, 5);
  const double* qkv = in[1]->data.data();
  double* dqkv = out[0].data.data();
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < attrs.heads; ++h)
      for (int64_t t = 0; t < positions; ++t) {
        int64_t row = ((b * positions + t) * attrs.heads + h) * D;
        const double* dy = in[0]->data.data() + row;
        double delta = dot(dy, in[2]->data.data() + row, D);
        double lse = in[3]->data[static_cast<size_t>((b * attrs.heads + h) * positions + t)];
        const double* q = qkv + at(b, t, h);
        double* dq = dqkv + at(b, t, h);
        for (int64_t s = first_key(b, t); s <= t; ++s) {
          const double* k = qkv + at(b, s, at.key_head(h));
          double p = std::exp(attrs.scale * dot(q, k, D) - lse);
          double f = factor(b, h, t, s);
          double dp = f * dot(dy, qkv + at(b, s, at.value_head(h)), D);
          double ds = attrs.scale * p * (dp - delta);
          double* dk = dqkv + at(b, s, at.key_head(h));
          double* dv = dqkv + at(b, s, at.value_head(h));
          for (int64_t d = 0; d < D; ++d) {
            dv[d] += f * p * dy[d];
            dq[d] += ds * k[d];
            dk[d] += ds * q[d];
          }
        }
      }
}

std::vector<Value> vjp(const VjpContext& c) {
  ANNEAL_ASSERT(c.grads[0] && !c.grads[1], "a gradient flows into attention's first output only");
  std::vector<Value> inputs = {c.grads[0], c.inputs[0], c.outputs[0], c.outputs[1]};
  for (size_t i : {size_t{1}, size_t{2}}) inputs.push_back(c.call.has(i) ? c.inputs[i] : Value{});
  std::vector<Value> gradients(c.inputs.size());
  gradients[0] = c.b.emit1(attention_grad_op(), inputs, c.call.attrs);
  return gradients;
}

// Scores of one head and sequence that a query sees; documents are data and count as one.
double visible_scores(const AttentionAttrs& attrs, int64_t positions) {
  auto n = static_cast<double>(positions);
  auto window = static_cast<double>(std::min(positions - 1, attrs.reach()) + 1);
  return window * (window + 1) / 2 + (n - window) * window;
}

// `products` matrix products over the visible scores.
Cost products_cost(const OpCall& call, const Shape& packed, double products) {
  const auto& attrs = attrs_of(call);
  Cost cost;
  cost.flops = products * 2 * static_cast<double>(packed[0] * attrs.heads * attrs.head_dim) *
               visible_scores(attrs, packed[1]);
  for (const auto& type : call.in)
    if (type) cost.bytes += static_cast<double>(type->bytes());
  for (const auto& type : call.out) cost.bytes += static_cast<double>(type.bytes());
  return cost;
}

// A product over the columns of a head for each head, of which the mask leaves about half.
MatrixProduct scores_product(const AttentionAttrs& attrs, const TensorType& packed) {
  int64_t batch = packed.shape[0], positions = packed.shape[1];
  return {.m = positions,
          .n = positions,
          .k = attrs.head_dim,
          .trans_b = true,
          .a = packed.dtype,
          .b = packed.dtype,
          .count = batch * attrs.heads,
          .part = visible_scores(attrs, positions) / static_cast<double>(positions * positions)};
}
// … and one over positions.
MatrixProduct mixing_product(const AttentionAttrs& attrs, const TensorType& packed, bool trans) {
  MatrixProduct product = scores_product(attrs, packed);
  product.trans_a = trans, product.trans_b = false;
  std::swap(product.n, product.k);
  return product;
}
std::vector<MatrixProduct> products(const OpCall& call) {
  const auto& attrs = attrs_of(call);
  const TensorType& packed = call.input(0);
  return {scores_product(attrs, packed), mixing_product(attrs, packed, false)};
}
// Without the scores, which a way to compute it with more memory would have kept.
std::vector<MatrixProduct> products_grad(const OpCall& call) {
  const auto& attrs = attrs_of(call);
  const TensorType& packed = call.input(1);
  MatrixProduct to_keys = mixing_product(attrs, packed, true);
  return {scores_product(attrs, packed), to_keys, to_keys, mixing_product(attrs, packed, false)};
}

Cost cost(const OpCall& call) { return products_cost(call, call.input(0).shape, 2); }
Cost cost_grad(const OpCall& call) { return products_cost(call, call.input(1).shape, 5); }

}  // namespace

const OpDef& attention_op() {
  static const OpDef op = {.name = "attention",
                           .min_inputs = 1,
                           .max_inputs = 3,
                           .infer = infer,
                           .reference = reference,
                           .vjp = vjp,
                           .cost = cost,
                           .products = products,
                           .low_accept = bit(0),
                           .low_outputs = bit(0)};
  return op;
}

const OpDef& attention_grad_op() {
  static const OpDef op = {.name = "attention_grad",
                           .min_inputs = 4,
                           .max_inputs = 6,
                           .infer = infer_grad,
                           .reference = reference_grad,
                           .cost = cost_grad,
                           .products = products_grad,
                           .low_accept = bit(0) | bit(1) | bit(2),
                           .low_outputs = bit(0)};
  return op;
}

Value attention(Builder& b, Value qkv, const AttentionAttrs& attrs, Value first_sample,
                Value positions) {
  Value sample = attrs.dropout > 0 ? first_sample : Value{};
  return b.emit(attention_op(), {qkv, sample, positions}, Attrs::of(attrs))[0];
}

}  // namespace anneal
