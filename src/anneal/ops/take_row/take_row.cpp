#include "anneal/ops/take_row/take_row.hpp"

#include <algorithm>

namespace anneal {
namespace {

std::vector<TensorType> infer(const OpCall& call) {
  const TensorType& x = call.input(0);
  ANNEAL_ASSERT(x.shape.rank() == 3 && call.input(1) == (TensorType{DType::i32, {}}),
                "take_row of ", x, " by ", call.input(1));
  return {{x.dtype, {x.shape[0], 1, x.shape[2]}}};
}

void reference(const OpCall& call, std::span<const RefTensor* const> in, std::span<RefTensor> out) {
  const Shape& x = call.input(0).shape;
  auto row = static_cast<int64_t>(in[1]->data[0]);
  for (int64_t b = 0; b < x[0]; ++b)
    std::copy_n(in[0]->data.begin() + (b * x[1] + row) * x[2], x[2],
                out[0].data.begin() + b * x[2]);
}

Cost cost(const OpCall& call) { return {0, 2.0 * static_cast<double>(call.out[0].bytes())}; }

}  // namespace

const OpDef& take_row_op() {
  static const OpDef op = {.name = "take_row",
                           .min_inputs = 2,
                           .max_inputs = 2,
                           .infer = infer,
                           .reference = reference,
                           .cost = cost,
                           .no_gradient = all_bits,
                           .low_accept = bit(0),
                           .low_outputs = bit(0),
                           .low_follows = true};
  return op;
}

Value take_row(Builder& b, Value x, Value row) { return b.emit1(take_row_op(), {x, row}); }

}  // namespace anneal
