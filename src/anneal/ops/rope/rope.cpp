#include "anneal/ops/rope/rope.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace anneal {
namespace {

std::vector<TensorType> infer(const OpCall& call) {
  const auto& a = call.attrs.as<RopeAttrs>();
  const TensorType& x = call.input(0);
  ANNEAL_ASSERT(x.shape[-1] == (a.heads + 2 * a.kv_heads) * a.head_dim && a.turned() % 2 == 0 &&
                    a.turned() <= a.head_dim,
                "rope of ", x);
  ANNEAL_ASSERT(call.input(1) == (TensorType{DType::i32, {x.shape[0], x.shape[1]}}),
                "rope positions ", call.input(1));
  return {{x.dtype, x.shape}};
}

void reference(const OpCall& call, std::span<const RefTensor* const> in, std::span<RefTensor> out) {
  const auto& a = call.attrs.as<RopeAttrs>();
  int64_t rows = call.input(0).shape.rows(), columns = call.input(0).shape[-1];
  int64_t half = a.turned() / 2;
  auto frequency = rope_frequencies(a);
  out[0].data = in[0]->data;
  for (int64_t r = 0; r < rows; ++r) {
    double position = in[1]->data[static_cast<size_t>(r)];
    for (int64_t h = 0; h < a.heads + a.kv_heads; ++h) {
      for (int64_t i = 0; i < half; ++i) {
        double angle = position * frequency[static_cast<size_t>(i)];
        double c = std::cos(angle), s = a.inverse ? -std::sin(angle) : std::sin(angle);
        auto first = static_cast<size_t>(r * columns + h * a.head_dim + i);
        auto second = first + static_cast<size_t>(half);
        double x = in[0]->data[first], y = in[0]->data[second];
        out[0].data[first] = x * c - y * s;
        out[0].data[second] = y * c + x * s;
      }
    }
  }
}

std::vector<Value> vjp(const VjpContext& c) {
  RopeAttrs attrs = c.call.attrs.as<RopeAttrs>();
  attrs.inverse = !attrs.inverse;
  return {rope(c.b, c.grads[0], c.inputs[1], attrs)};
}

Cost cost(const OpCall& call) {
  const TensorType& x = call.input(0);
  return {3.0 * static_cast<double>(x.shape.elements()), 2.0 * static_cast<double>(x.bytes())};
}

constexpr Alias in_place[] = {{.output = 0, .input = 0}};

}  // namespace

const OpDef& rope_op() {
  static const OpDef op = {.name = "rope",
                           .min_inputs = 2,
                           .max_inputs = 2,
                           .infer = infer,
                           .reference = reference,
                           .vjp = vjp,
                           .cost = cost,
                           .low_accept = bit(0),
                           .low_outputs = bit(0),
                           .low_follows = true,
                           .may_alias = in_place};
  return op;
}

std::vector<double> rope_frequencies(const RopeAttrs& a) {
  std::vector<double> frequencies;
  const RopeScaling& s = a.scaling;
  for (int64_t i = 0; i < a.turned() / 2; ++i) {
    double f = std::pow(a.theta, -2.0 * static_cast<double>(i) / static_cast<double>(a.turned()));
    if (s.factor != 1) {
      double turns = static_cast<double>(s.original_context) * f / (2 * std::numbers::pi);
      double kept = std::clamp((turns - s.low) / (s.high - s.low), 0.0, 1.0);
      f = kept * f + (1 - kept) * f / s.factor;
    }
    frequencies.push_back(f);
  }
  return frequencies;
}

Value rope(Builder& b, Value x, Value positions, const RopeAttrs& attrs) {
  return b.emit1(rope_op(), {x, positions}, Attrs::of(attrs));
}

}  // namespace anneal
