#include "anneal/ops/norm/rmsnorm.hpp"

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
  std::vector<TensorType> outputs = {{DType::f32, x}, {DType::f32, x.with_last(1)}};
  add_sum_output(call, 2, outputs);
  return outputs;
}

std::vector<Value> expand(Builder& b, const OpCall& call, std::span<const Value> in) {
  const Shape& shape = call.input(0).shape;
  Value x = call.has(2) ? add(b, in[0], in[2]) : in[0], gain = in[1];
  Value n = constant(b, static_cast<double>(shape.row_length()));
  Value mean_square = div(b, sum_to(b, square(b, x), shape.with_last(1)), n);
  Value eps = constant(b, call.attrs.as<RmsnormAttrs>().eps);
  Value rstd = reciprocal(b, sqrt(b, add(b, mean_square, eps)));
  std::vector<Value> outputs = {mul(b, mul(b, x, rstd), gain), rstd};
  if (call.has(2)) outputs.push_back(x);
  return outputs;
}

std::vector<Value> vjp(const VjpContext& c) {
  ANNEAL_ASSERT(!c.call.has(2), "sums are absorbed after differentiation");
  ANNEAL_ASSERT(c.grads[0] && !c.grads[1], "a gradient flows into y only");
  auto grads = c.b.emit(rmsnorm_grad_op(), {c.grads[0], c.inputs[0], c.inputs[1], c.outputs[1]});
  for (size_t i = 0; i < grads.size(); ++i)
    if (!c.needs(i)) grads[i] = {};
  return grads;
}

std::vector<TensorType> infer_grad(const OpCall& call) {
  const Shape& x = call.input(1).shape;
  Shape row{x.row_length()};
  expect_rows(call, 0, x);
  expect_rows(call, 1, x);
  expect_f32(call, 2, row);
  expect_f32(call, 3, x.with_last(1));
  std::vector<TensorType> out = {{DType::f32, x}, {DType::f32, row}};
  for (size_t i = 0; i < 2; ++i)
    if (call.has(4 + i)) expect_f32(call, 4 + i, out[i].shape);
  return out;
}

std::vector<Value> expand_grad(Builder& b, const OpCall& call, std::span<const Value> in) {
  const Shape& shape = call.input(1).shape;
  Value dy = in[0], x = in[1], gain = in[2], rstd = in[3];
  Value n = constant(b, static_cast<double>(shape.row_length()));
  Value normal = mul(b, x, rstd);
  Value g = mul(b, dy, gain);
  Value mean = div(b, sum_to(b, mul(b, g, normal), shape.with_last(1)), n);
  Value dx = mul(b, sub(b, g, mul(b, normal, mean)), rstd);
  Value dgain = sum_to(b, mul(b, dy, normal), {shape.row_length()});
  std::vector<Value> out = {dx, dgain};
  for (size_t i = 0; i < 2; ++i)
    if (call.has(4 + i)) out[i] = add(b, in[4 + i], out[i]);
  return out;
}

Cost cost(const OpCall& call) { return norm_cost(call, call.input(0), 4); }
Cost cost_grad(const OpCall& call) { return norm_cost(call, call.input(1), 10); }

constexpr AbsorbsSum absorbs[] = {{.input = 0, .addend = 2, .output = 2}};
constexpr Alias may_alias[] = {
    {.output = 2, .input = 2}, {.output = 2, .input = 0}, {.output = 0, .input = 0}};
constexpr Alias grad_may_alias[] = {{.output = 0, .input = 0}, {.output = 0, .input = 1}};
constexpr AccumulateInto accumulate[] = {{.output = 0, .input = 4}, {.output = 1, .input = 5}};

}  // namespace

const OpDef& rmsnorm_op() {
  static const OpDef op = {.name = "rmsnorm",
                           .min_inputs = 2,
                           .max_inputs = 3,
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

const OpDef& rmsnorm_grad_op() {
  static const OpDef op = {.name = "rmsnorm_grad",
                           .min_inputs = 4,
                           .max_inputs = 6,
                           .infer = infer_grad,
                           .expand = expand_grad,
                           .cost = cost_grad,
                           .low_accept = bit(0) | bit(1),
                           .may_alias = grad_may_alias,
                           .accumulate = accumulate};
  return op;
}

Value rmsnorm(Builder& b, Value x, Value gain, double eps) {
  return b.emit(rmsnorm_op(), {x, gain}, Attrs::of(RmsnormAttrs{eps}))[0];
}

}  // namespace anneal
