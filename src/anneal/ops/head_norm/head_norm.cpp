#include "anneal/ops/head_norm/head_norm.hpp"

#include <cmath>

namespace anneal {
namespace {

const HeadNormAttrs& attrs_of(const OpCall& call) { return call.attrs.as<HeadNormAttrs>(); }

void expect_packed(const OpCall& call, size_t i) {
  const auto& a = attrs_of(call);
  const TensorType& x = call.input(i);
  ANNEAL_ASSERT(is_f32_or_low(x.dtype) && x.shape.rank() == 3 && a.heads > 0 && a.kv_heads > 0 &&
                    a.head_dim > 0 && x.shape[2] == (a.heads + 2 * a.kv_heads) * a.head_dim,
                "head_norm of ", x);
}

void expect_f32(const OpCall& call, size_t i, const Shape& shape) {
  TensorType expected{DType::f32, shape};
  ANNEAL_ASSERT(call.input(i) == expected, "input ", i, " of head_norm is ", call.input(i),
                ", expected ", expected);
}

TensorType rstd_type(const OpCall& call, const Shape& x) {
  return {DType::f32, x.with_last(attrs_of(call).heads + attrs_of(call).kv_heads)};
}

std::vector<TensorType> infer(const OpCall& call) {
  expect_packed(call, 0);
  expect_f32(call, 1, {attrs_of(call).head_dim});
  expect_f32(call, 2, {attrs_of(call).head_dim});
  const Shape& x = call.input(0).shape;
  return {{DType::f32, x}, rstd_type(call, x)};
}

std::vector<TensorType> infer_grad(const OpCall& call) {
  Shape gain{attrs_of(call).head_dim};
  expect_packed(call, 0);
  expect_packed(call, 1);
  const Shape& x = call.input(1).shape;
  ANNEAL_ASSERT(call.input(0).shape == x, "head_norm_grad of ", call.input(0), " and ", x);
  expect_f32(call, 2, gain);
  expect_f32(call, 3, gain);
  expect_f32(call, 4, rstd_type(call, x).shape);
  for (size_t i : {5, 6})
    if (call.has(i)) expect_f32(call, i, gain);
  return {{DType::f32, x}, {DType::f32, gain}, {DType::f32, gain}};
}

// Calls f(first element, whether it is a query head, index of its rstd) for each head that is
// normalised.
template <class F>
void for_heads(const OpCall& call, int64_t rows, F f) {
  const auto& a = attrs_of(call);
  int64_t normed = a.heads + a.kv_heads;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t h = 0; h < normed; ++h)
      f(static_cast<size_t>((r * (normed + a.kv_heads) + h) * a.head_dim), h < a.heads,
        static_cast<size_t>(r * normed + h));
}

void reference(const OpCall& call, std::span<const RefTensor* const> in, std::span<RefTensor> out) {
  const auto& a = attrs_of(call);
  auto d = static_cast<size_t>(a.head_dim);
  out[0].data = in[0]->data;
  for_heads(call, call.input(0).shape.rows(), [&](size_t first, bool query, size_t statistic) {
    const auto& gain = in[query ? 1 : 2]->data;
    double sum = 0;
    for (size_t i = 0; i < d; ++i) sum += in[0]->data[first + i] * in[0]->data[first + i];
    double rstd = 1 / std::sqrt(sum / static_cast<double>(d) + a.eps);
    out[1].data[statistic] = rstd;
    for (size_t i = 0; i < d; ++i) out[0].data[first + i] *= rstd * gain[i];
  });
}

// With h = x·rstd and g = dy·gain: dgain = Σ dy·h over rows and heads, dx = rstd·(g − h·mean(g·h)).
void reference_grad(const OpCall& call, std::span<const RefTensor* const> in,
                    std::span<RefTensor> out) {
  auto d = static_cast<size_t>(attrs_of(call).head_dim);
  out[0].data = in[0]->data;
  for (size_t k : {1, 2}) out[k].data.assign(d, 0.0);
  for_heads(call, call.input(1).shape.rows(), [&](size_t first, bool query, size_t statistic) {
    const auto& gain = in[query ? 2 : 3]->data;
    auto& dgain = out[query ? 1 : 2].data;
    const double *dy = &in[0]->data[first], *x = &in[1]->data[first];
    double rstd = in[4]->data[statistic], sum = 0;
    for (size_t i = 0; i < d; ++i) {
      dgain[i] += dy[i] * x[i] * rstd;
      sum += dy[i] * gain[i] * x[i] * rstd;
    }
    double mean = sum / static_cast<double>(d);
    for (size_t i = 0; i < d; ++i)
      out[0].data[first + i] = rstd * (dy[i] * gain[i] - x[i] * rstd * mean);
  });
  for (size_t k : {1, 2})
    if (call.has(4 + k)) out[k].add(*in[4 + k]);
}

std::vector<Value> vjp(const VjpContext& c) {
  ANNEAL_ASSERT(c.grads[0] && !c.grads[1], "a gradient flows into y only");
  auto grads =
      c.b.emit(head_norm_grad_op(),
               {c.grads[0], c.inputs[0], c.inputs[1], c.inputs[2], c.outputs[1]}, c.call.attrs);
  for (size_t i = 0; i < grads.size(); ++i)
    if (!c.needs(i)) grads[i] = {};
  return grads;
}

Cost cost_of_elements(const OpCall& call, double flops_an_element) {
  Cost cost{.flops = flops_an_element * static_cast<double>(call.out[0].shape.elements())};
  for (const auto& type : call.in)
    if (type) cost.bytes += static_cast<double>(type->bytes());
  for (const auto& type : call.out) cost.bytes += static_cast<double>(type.bytes());
  return cost;
}
Cost cost(const OpCall& call) { return cost_of_elements(call, 4); }
Cost cost_grad(const OpCall& call) { return cost_of_elements(call, 10); }

constexpr Alias may_alias[] = {{.output = 0, .input = 0}};
constexpr Alias grad_may_alias[] = {{.output = 0, .input = 0}, {.output = 0, .input = 1}};
constexpr AccumulateInto accumulate[] = {{.output = 1, .input = 5}, {.output = 2, .input = 6}};

}  // namespace

const OpDef& head_norm_op() {
  static const OpDef op = {.name = "head_norm",
                           .min_inputs = 3,
                           .max_inputs = 3,
                           .infer = infer,
                           .reference = reference,
                           .vjp = vjp,
                           .cost = cost,
                           .low_accept = bit(0),
                           .low_outputs = bit(0),
                           .may_alias = may_alias};
  return op;
}

const OpDef& head_norm_grad_op() {
  static const OpDef op = {.name = "head_norm_grad",
                           .min_inputs = 5,
                           .max_inputs = 7,
                           .infer = infer_grad,
                           .reference = reference_grad,
                           .cost = cost_grad,
                           .low_accept = bit(0) | bit(1),
                           .low_outputs = bit(0),
                           .may_alias = grad_may_alias,
                           .accumulate = accumulate};
  return op;
}

Value head_norm(Builder& b, Value x, Value q_gain, Value k_gain, const HeadNormAttrs& attrs) {
  return b.emit(head_norm_op(), {x, q_gain, k_gain}, Attrs::of(attrs))[0];
}

}  // namespace anneal
