#include "anneal/ops/short_conv_cached/short_conv_cached.hpp"

namespace anneal {
namespace {

std::vector<TensorType> infer(const OpCall& call) {
  const Shape &x = call.input(0).shape, &filter = call.input(1).shape;
  ANNEAL_ASSERT(is_f32_or_low(call.input(0).dtype) && x.rank() == 3 && x[0] == 1, "x ",
                call.input(0));
  ANNEAL_ASSERT(call.input(1).dtype == DType::f32 && filter.rank() == 2 && filter[0] > 0 &&
                    filter[0] <= x[2] && filter[1] > 1 && filter[1] <= longest_short_conv,
                "filter ", call.input(1), " of ", call.input(0));
  ANNEAL_ASSERT(call.input(2) == (TensorType{DType::f32, {filter[1] - 1, filter[0]}}), "history ",
                call.input(2), " for filter ", call.input(1));
  ANNEAL_ASSERT(call.input(3) == (TensorType{DType::i32, {}}), "start ", call.input(3));
  return {{DType::f32, x}, call.input(2)};
}

void reference(const OpCall& call, std::span<const RefTensor* const> in, std::span<RefTensor> out) {
  const Shape &x = call.input(0).shape, &filter = call.input(1).shape;
  int64_t channels = filter[0], taps = filter[1];
  bool empty = in[3]->data[0] <= 0;
  // Row t of what is convolved, where t < 0 lies in the history.
  auto input = [&](int64_t t, int64_t c) {
    if (t >= 0) return in[0]->data[static_cast<size_t>(t * x[2] + c)];
    return empty ? 0.0 : in[2]->data[static_cast<size_t>((taps - 1 + t) * channels + c)];
  };
  out[0].data = in[0]->data;
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t t = 0; t < x[1]; ++t) {
      double sum = 0;
      for (int64_t k = 0; k < taps; ++k)
        sum += in[1]->data[static_cast<size_t>(c * taps + k)] * input(t - taps + 1 + k, c);
      out[0].data[static_cast<size_t>(t * x[2] + c)] = sum;
    }
    for (int64_t i = 0; i + 1 < taps; ++i)
      out[1].data[static_cast<size_t>(i * channels + c)] = input(x[1] - (taps - 1) + i, c);
  }
}

Cost cost(const OpCall& call) {
  Cost cost{.flops =
                2 * static_cast<double>(call.input(0).shape[1] * call.input(1).shape.elements())};
  for (const auto& type : call.in) cost.bytes += static_cast<double>(type->bytes());
  for (const auto& type : call.out) cost.bytes += static_cast<double>(type.bytes());
  return cost;
}

constexpr Alias in_place[] = {{.output = 1, .input = 2}};

}  // namespace

const OpDef& short_conv_cached_op() {
  static const OpDef op = {.name = "short_conv_cached",
                           .min_inputs = 4,
                           .max_inputs = 4,
                           .infer = infer,
                           .reference = reference,
                           .cost = cost,
                           .no_gradient = all_bits,
                           .low_accept = bit(0),
                           .low_outputs = bit(0),
                           .must_alias = in_place};
  return op;
}

CachedShortConv short_conv_cached(Builder& b, Value x, Value filter, Value history, Value start) {
  auto out = b.emit(short_conv_cached_op(), {x, filter, history, start});
  return {out[0], out[1]};
}

}  // namespace anneal
