#include "anneal/ops/head_loss/head_loss.hpp"

#include <algorithm>
#include <cmath>

namespace anneal {
namespace {

constexpr TensorType scalar{DType::f32, {}};

void expect_low_or_f32(const TensorType& type) {
  ANNEAL_ASSERT(is_f32_or_low(type.dtype), "head_loss takes f32, bf16 and f16, got ", type);
}

std::vector<TensorType> infer(const OpCall& call) {
  const auto &x = call.input(0), &weight = call.input(1), &targets = call.input(2);
  expect_low_or_f32(x);
  expect_low_or_f32(weight);
  ANNEAL_ASSERT(x.shape.rank() > 0 && weight.shape.rank() == 2 && weight.shape[1] == x.shape[-1],
                "head_loss takes x [..., C] and weight [V,C], got ", x, " and ", weight);
  ANNEAL_ASSERT(targets.dtype == DType::i32 && targets.shape.rank() == x.shape.rank() - 1 &&
                    std::equal(targets.shape.begin(), targets.shape.end(), x.shape.begin()),
                "targets are i32, one a row of ", x, ", got ", targets);
  const auto& attrs = call.attrs.as<HeadLossAttrs>();
  ANNEAL_ASSERT(attrs.label_smoothing >= 0 && attrs.label_smoothing < 1 && attrs.z_loss >= 0,
                "label smoothing is in [0, 1) and z-loss at least 0, got ", attrs.label_smoothing,
                " and ", attrs.z_loss);
  ANNEAL_ASSERT(call.input(3) == scalar, "inv_valid is an f32 scalar, got ", call.input(3));
  return {scalar, scalar};
}

std::vector<TensorType> infer_grad(const OpCall& call) {
  auto out = infer(call);
  ANNEAL_ASSERT(call.input(4) == scalar, "dloss is an f32 scalar, got ", call.input(4));
  out.push_back({DType::f32, call.input(0).shape});
  out.push_back({DType::f32, call.input(1).shape});
  if (call.has(5))
    ANNEAL_ASSERT(call.input(5) == out[3], "dweight starts from ", out[3], ", got ", call.input(5));
  return out;
}

std::vector<TensorType> infer_input_grad(const OpCall& call) {
  auto out = infer_grad(call);
  out.pop_back();
  return out;
}

// Loss and correct; where dx is given, and dweight, also their gradients of dloss·loss.
void evaluate(const OpCall& call, std::span<const RefTensor* const> in, std::span<RefTensor> out) {
  auto c = static_cast<size_t>(call.input(0).shape.row_length());
  auto v = static_cast<size_t>(call.input(1).shape[0]);
  const auto& attrs = call.attrs.as<HeadLossAttrs>();
  double smoothing = attrs.label_smoothing, z = attrs.z_loss;
  double inv_valid = in[3]->data[0];
  std::vector<double> logits(v);
  for (size_t row = 0; row < in[2]->data.size(); ++row) {
    if (in[2]->data[row] < 0) continue;
    auto target = static_cast<size_t>(in[2]->data[row]);
    if (target >= v) {
      out[0].data[0] = NAN;
      continue;
    }
    const double* x = &in[0]->data[row * c];
    bool finite = true;
    for (size_t k = 0; k < v; ++k) {
      const double* w = &in[1]->data[k * c];
      logits[k] = 0;
      for (size_t j = 0; j < c; ++j) logits[k] += x[j] * w[j];
      finite &= std::isfinite(logits[k]);
    }
    size_t best = 0;
    for (size_t k = 1; k < v; ++k)
      if (logits[k] > logits[best]) best = k;
    double largest = logits[best], sum = 0, mean = 0;
    for (double l : logits) sum += std::exp(l - largest), mean += l / static_cast<double>(v);
    double lse = std::log(sum) + largest;
    double loss = (1 - smoothing) * (lse - logits[target]) + smoothing * (lse - mean);
    loss += z * lse * lse;
    out[0].data[0] += finite ? inv_valid * loss : NAN;
    out[1].data[0] += finite && best == target;
    if (out.size() == 2) continue;
    for (size_t k = 0; k < v; ++k) {
      double d = (1 + 2 * z * lse) * std::exp(logits[k] - largest) / sum;
      d -= smoothing / static_cast<double>(v) + (k == target ? 1 - smoothing : 0);
      d *= inv_valid * in[4]->data[0];
      for (size_t j = 0; j < c; ++j) {
        out[2].data[row * c + j] += d * in[1]->data[k * c + j];
        if (out.size() > 3) out[3].data[k * c + j] += d * x[j];
      }
    }
  }
}

void reference_grad(const OpCall& call, std::span<const RefTensor* const> in,
                    std::span<RefTensor> out) {
  evaluate(call, in, out);
  if (call.has(5)) out[3].add(*in[5]);
}

std::vector<Value> vjp(const VjpContext& c) {
  ANNEAL_ASSERT(c.grads[0] && !c.grads[1], "a gradient flows into the loss only");
  const OpDef& op = c.needs(1) ? head_loss_grad_op() : head_loss_input_grad_op();
  auto out =
      c.b.emit(op, {c.inputs[0], c.inputs[1], c.inputs[2], c.inputs[3], c.grads[0]}, c.call.attrs);
  return {c.needs(0) ? out[2] : Value{}, c.needs(1) ? out[3] : Value{}};
}

// `products` matrix products of rows × C × V, each reading the weight once.
Cost cost_of(const OpCall& call, int products) {
  auto elements = static_cast<double>(call.input(0).shape.elements());
  auto vocabulary = static_cast<double>(call.input(1).shape[0]);
  Cost cost{.flops = 2 * products * elements * vocabulary};
  for (const auto& type : call.in)
    if (type) cost.bytes += static_cast<double>(type->bytes());
  for (const auto& type : call.out) cost.bytes += static_cast<double>(type.bytes());
  return cost;
}
Cost cost(const OpCall& call) { return cost_of(call, 1); }
Cost cost_grad(const OpCall& call) { return cost_of(call, 3); }
Cost cost_input_grad(const OpCall& call) { return cost_of(call, 2); }

MatrixProduct logits_product(const OpCall& call) {
  const auto &x = call.input(0), &weight = call.input(1);
  return {.m = x.shape.rows(),
          .n = weight.shape[0],
          .k = weight.shape[1],
          .trans_b = true,
          .a = x.dtype,
          .b = weight.dtype};
}
std::vector<MatrixProduct> products(const OpCall& call) { return {logits_product(call)}; }
std::vector<MatrixProduct> products_grad(const OpCall& call) {
  MatrixProduct logits = logits_product(call);
  MatrixProduct dx = logits, dweight = logits;
  dx.trans_b = false, dx.n = logits.k, dx.k = logits.n, dx.c = call.out[2].dtype;
  dweight.trans_a = true, dweight.trans_b = false;
  dweight.m = logits.n, dweight.n = logits.k, dweight.k = logits.m;
  dweight.b = dweight.a, dweight.accumulate = call.has(5);
  return {logits, dx, dweight};
}
std::vector<MatrixProduct> products_input_grad(const OpCall& call) {
  auto products = products_grad(call);
  products.pop_back();
  return products;
}

constexpr AccumulateInto accumulate[] = {{.output = 3, .input = 5}};

}  // namespace

const OpDef& head_loss_op() {
  static const OpDef op = {.name = "head_loss",
                           .min_inputs = 4,
                           .max_inputs = 4,
                           .infer = infer,
                           .reference = evaluate,
                           .vjp = vjp,
                           .cost = cost,
                           .products = products,
                           .no_gradient = bit(3),
                           .low_require = bit(0) | bit(1)};
  return op;
}

const OpDef& head_loss_grad_op() {
  static const OpDef op = {.name = "head_loss_grad",
                           .min_inputs = 5,
                           .max_inputs = 6,
                           .infer = infer_grad,
                           .reference = reference_grad,
                           .cost = cost_grad,
                           .products = products_grad,
                           .low_require = bit(0) | bit(1),
                           .low_outputs = bit(2),
                           .accumulate = accumulate,
                           .subsumes = {.op = &head_loss_op(), .inputs = 4, .outputs = 2}};
  return op;
}

const OpDef& head_loss_input_grad_op() {
  static const OpDef op = {.name = "head_loss_input_grad",
                           .min_inputs = 5,
                           .max_inputs = 5,
                           .infer = infer_input_grad,
                           .reference = evaluate,
                           .cost = cost_input_grad,
                           .products = products_input_grad,
                           .low_require = bit(0) | bit(1),
                           .low_outputs = bit(2),
                           .subsumes = {.op = &head_loss_op(), .inputs = 4, .outputs = 2}};
  return op;
}

HeadLoss head_loss(Builder& b, Value x, Value weight, Value targets, Value inv_valid,
                   const HeadLossAttrs& attrs) {
  auto out = b.emit(head_loss_op(), {x, weight, targets, inv_valid}, Attrs::of(attrs));
  return {out[0], out[1]};
}

}  // namespace anneal
