#include "anneal/ops/short_conv/short_conv.hpp"

#include <algorithm>

namespace anneal {
namespace {

void check(const OpCall& call, size_t x, size_t filter) {
  const TensorType &rows = call.input(x), &taps = call.input(filter);
  ANNEAL_ASSERT(is_f32_or_low(rows.dtype) && rows.shape.rank() == 3, "short_conv of ", rows);
  ANNEAL_ASSERT(taps.dtype == DType::f32 && taps.shape.rank() == 2 && taps.shape[0] > 0 &&
                    taps.shape[0] <= rows.shape[2] && taps.shape[1] > 0 &&
                    taps.shape[1] <= longest_short_conv,
                "filter ", taps, " of ", rows, ", at most ", longest_short_conv, " taps");
}

std::vector<TensorType> infer(const OpCall& call) {
  check(call, 0, 1);
  return {{DType::f32, call.input(0).shape}};
}

std::vector<TensorType> infer_grad(const OpCall& call) {
  check(call, 1, 2);
  ANNEAL_ASSERT(is_f32_or_low(call.input(0).dtype) && call.input(0).shape == call.input(1).shape,
                "dy ", call.input(0), " of x ", call.input(1));
  return {{DType::f32, call.input(1).shape}, call.input(2)};
}

// Calls f(element of y, element of x, element of the filter) for every product.
template <class F>
void for_products(const Shape& x, const Shape& filter, F&& f) {
  for (int64_t row = 0; row < x[0] * x[1]; ++row)
    for (int64_t k = 0; k < filter[1]; ++k) {
      int64_t shift = filter[1] - 1 - k;
      if (row % x[1] < shift) continue;
      for (int64_t c = 0; c < filter[0]; ++c)
        f(static_cast<size_t>(row * x[2] + c), static_cast<size_t>((row - shift) * x[2] + c),
          static_cast<size_t>(c * filter[1] + k));
    }
}

// to = from in the columns that are not convolved.
void copy_others(const Shape& x, const Shape& filter, const RefTensor& from, RefTensor& to) {
  for (size_t e = 0; e < from.data.size(); ++e)
    if (static_cast<int64_t>(e) % x[2] >= filter[0]) to.data[e] = from.data[e];
}

void reference(const OpCall& call, std::span<const RefTensor* const> in, std::span<RefTensor> out) {
  const Shape &x = call.input(0).shape, &filter = call.input(1).shape;
  copy_others(x, filter, *in[0], out[0]);
  for_products(x, filter, [&](size_t at_y, size_t at_x, size_t at_filter) {
    out[0].data[at_y] += in[1]->data[at_filter] * in[0]->data[at_x];
  });
}

void reference_grad(const OpCall& call, std::span<const RefTensor* const> in,
                    std::span<RefTensor> out) {
  const Shape &x = call.input(1).shape, &filter = call.input(2).shape;
  copy_others(x, filter, *in[0], out[0]);
  for_products(x, filter, [&](size_t at_y, size_t at_x, size_t at_filter) {
    out[0].data[at_x] += in[2]->data[at_filter] * in[0]->data[at_y];
    out[1].data[at_filter] += in[1]->data[at_x] * in[0]->data[at_y];
  });
}

std::vector<Value> vjp(const VjpContext& c) {
  return c.b.emit(short_conv_grad_op(), {c.grads[0], c.inputs[0], c.inputs[1]});
}

Cost cost_of(const OpCall& call, const Shape& x, const Shape& filter, double times) {
  Cost cost{.flops = times * 2 * static_cast<double>(x[0] * x[1] * filter.elements())};
  for (const auto& type : call.in) cost.bytes += static_cast<double>(type->bytes());
  for (const auto& type : call.out) cost.bytes += static_cast<double>(type.bytes());
  return cost;
}
Cost cost(const OpCall& call) { return cost_of(call, call.input(0).shape, call.input(1).shape, 1); }
Cost cost_grad(const OpCall& call) {
  return cost_of(call, call.input(1).shape, call.input(2).shape, 2);
}

}  // namespace

const OpDef& short_conv_op() {
  static const OpDef op = {.name = "short_conv",
                           .min_inputs = 2,
                           .max_inputs = 2,
                           .infer = infer,
                           .reference = reference,
                           .vjp = vjp,
                           .cost = cost,
                           .low_accept = bit(0),
                           .low_outputs = bit(0)};
  return op;
}

const OpDef& short_conv_grad_op() {
  static const OpDef op = {.name = "short_conv_grad",
                           .min_inputs = 3,
                           .max_inputs = 3,
                           .infer = infer_grad,
                           .reference = reference_grad,
                           .cost = cost_grad,
                           .low_accept = bit(0) | bit(1),
                           .low_outputs = bit(0)};
  return op;
}

Value short_conv(Builder& b, Value x, Value filter) {
  return b.emit1(short_conv_op(), {x, filter});
}

}  // namespace anneal
