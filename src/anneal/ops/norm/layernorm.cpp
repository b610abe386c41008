#include "anneal/ops/norm/layernorm.hpp"

#include "anneal/ops/constant/constant.hpp"
#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/ops/norm/check.hpp"
#include "anneal/ops/reduce/sum_to.hpp"

namespace anneal {
namespace {

std::vector<TensorType> infer(const OpCall& call) {
  const Shape& x = call.input(0).shape;
  expect_rows(call, 0, x);
  expect_f32(call, 1, {x.row_length()});
  expect_f32(call, 2, {x.row_length()});
  TensorType statistic{DType::f32, x.with_last(1)};
  std::vector<TensorType> outputs = {{DType::f32, x}, statistic, statistic};
  add_sum_output(call, 3, outputs);
  return outputs;
}

std::vector<Value> expand(Builder& b, const OpCall& call, std::span<const Value> in) {
  const Shape& shape = call.input(0).shape;
  Value x = call.has(3) ? add(b, in[0], in[3]) : in[0], gain = in[1], bias = in[2];
  Value n = constant(b, static_cast<double>(shape.row_length()));
  auto row_mean = [&](Value v) { return div(b, sum_to(b, v, shape.with_last(1)), n); };
  Value mean = row_mean(x);
  Value centred = sub(b, x, mean);
  Value variance = row_mean(square(b, centred));
  Value eps = constant(b, call.attrs.as<LayernormAttrs>().eps);
  Value rstd = reciprocal(b, sqrt(b, add(b, variance, eps)));
  Value y = add(b, mul(b, mul(b, centred, rstd), gain), bias);
  std::vector<Value> outputs = {y, mean, rstd};
  if (call.has(3)) outputs.push_back(x);
  return outputs;
}

std::vector<Value> vjp(const VjpContext& c) {
  ANNEAL_ASSERT(!c.call.has(3), "sums are absorbed after differentiation");
  ANNEAL_ASSERT(c.grads[0] && !c.grads[1] && !c.grads[2], "a gradient flows into y only");
  auto grads = c.b.emit(layernorm_grad_op(),
                        {c.grads[0], c.inputs[0], c.inputs[1], c.outputs[1], c.outputs[2]});
  for (size_t i = 0; i < grads.size(); ++i)
    if (!c.needs(i)) grads[i] = {};
  return grads;
}

std::vector<TensorType> infer_grad(const OpCall& call) {
  const Shape& x = call.input(1).shape;
  Shape statistic = x.with_last(1), row{x.row_length()};
  expect_rows(call, 0, x);
  expect_rows(call, 1, x);
  expect_f32(call, 2, row);
  expect_f32(call, 3, statistic);
  expect_f32(call, 4, statistic);
  std::vector<TensorType> out = {{DType::f32, x}, {DType::f32, row}, {DType::f32, row}};
  for (size_t i = 0; i < 3; ++i)
    if (call.has(5 + i)) expect_f32(call, 5 + i, out[i].shape);
  return out;
}

std::vector<Value> expand_grad(Builder& b, const OpCall& call, std::span<const Value> in) {
  const Shape& shape = call.input(1).shape;
  Value dy = in[0], x = in[1], gain = in[2], mean = in[3], rstd = in[4];
  Value n = constant(b, static_cast<double>(shape.row_length()));
  auto row_mean = [&](Value v) { return div(b, sum_to(b, v, shape.with_last(1)), n); };
  Value normal = mul(b, sub(b, x, mean), rstd);
  Value g = mul(b, dy, gain);
  Value centred = sub(b, g, row_mean(g));
  Value dx = mul(b, sub(b, centred, mul(b, normal, row_mean(mul(b, g, normal)))), rstd);
  Value dgain = sum_to(b, mul(b, dy, normal), {shape.row_length()});
  Value dbias = sum_to(b, dy, {shape.row_length()});
  std::vector<Value> out = {dx, dgain, dbias};
  for (size_t i = 0; i < 3; ++i)
    if (call.has(5 + i)) out[i] = add(b, in[5 + i], out[i]);
  return out;
}

Cost cost(const OpCall& call) { return norm_cost(call, call.input(0), 8); }
Cost cost_grad(const OpCall& call) { return norm_cost(call, call.input(1), 15); }

constexpr AbsorbsSum absorbs[] = {{.input = 0, .addend = 3, .output = 3}};
constexpr Alias may_alias[] = {
    {.output = 3, .input = 3}, {.output = 3, .input = 0}, {.output = 0, .input = 0}};
constexpr Alias grad_may_alias[] = {{.output = 0, .input = 0}, {.output = 0, .input = 1}};
constexpr AccumulateInto accumulate[] = {
    {.output = 0, .input = 5}, {.output = 1, .input = 6}, {.output = 2, .input = 7}};

}  // namespace

const OpDef& layernorm_op() {
  static const OpDef op = {.name = "layernorm",
                           .min_inputs = 3,
                           .max_inputs = 4,
                           .infer = infer,
                           .expand = expand,
                           .vjp = vjp,
                           .cost = cost,
                           .low_accept = bit(0),
                           .low_outputs = bit(0),
                           .may_alias = may_alias,
                           .absorbs = absorbs};
  return op;
}

const OpDef& layernorm_grad_op() {
  static const OpDef op = {.name = "layernorm_grad",
                           .min_inputs = 5,
                           .max_inputs = 8,
                           .infer = infer_grad,
                           .expand = expand_grad,
                           .cost = cost_grad,
                           .low_accept = bit(0) | bit(1),
                           .may_alias = grad_may_alias,
                           .accumulate = accumulate};
  return op;
}

Value layernorm(Builder& b, Value x, Value gain, Value bias, double eps) {
  return b.emit(layernorm_op(), {x, gain, bias}, Attrs::of(LayernormAttrs{eps}))[0];
}

}  // namespace anneal
