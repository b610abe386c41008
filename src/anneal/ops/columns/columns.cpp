#include "anneal/ops/columns/columns.hpp"

#include <algorithm>

#include "anneal/ops/constant/constant.hpp"

namespace anneal {
namespace {

const ColumnsAttrs& attrs_of(const OpCall& call) { return call.attrs.as<ColumnsAttrs>(); }

void check_columns(const OpCall& call) {
  const auto& a = attrs_of(call);
  const Shape& x = call.input(0).shape;
  ANNEAL_ASSERT(x.rank() >= 1 && a.first >= 0 && a.count > 0 && a.first + a.count <= x[-1],
                "columns ", a.first, "+", a.count, " of ", x);
}

std::vector<TensorType> infer_take(const OpCall& call) {
  check_columns(call);
  return {{call.input(0).dtype, call.input(0).shape.with_last(attrs_of(call).count)}};
}

std::vector<TensorType> infer_add(const OpCall& call) {
  check_columns(call);
  ANNEAL_ASSERT(call.input(1).shape == call.input(0).shape.with_last(attrs_of(call).count), "adds ",
                call.input(1), " to ", attrs_of(call).count, " columns");
  return {{call.input(0).dtype, call.input(0).shape}};
}

void reference_take(const OpCall& call, std::span<const RefTensor* const> in,
                    std::span<RefTensor> out) {
  const auto& a = attrs_of(call);
  const Shape& x = call.input(0).shape;
  for (int64_t row = 0; row < x.rows(); ++row)
    std::copy_n(in[0]->data.begin() + row * x[-1] + a.first, a.count,
                out[0].data.begin() + row * a.count);
}

void reference_add(const OpCall& call, std::span<const RefTensor* const> in,
                   std::span<RefTensor> out) {
  const auto& a = attrs_of(call);
  const Shape& y = call.input(0).shape;
  out[0].data = in[0]->data;
  for (int64_t row = 0; row < y.rows(); ++row)
    for (int64_t c = 0; c < a.count; ++c)
      out[0].data[static_cast<size_t>(row * y[-1] + a.first + c)] +=
          in[1]->data[static_cast<size_t>(row * a.count + c)];
}

std::vector<Value> vjp_take(const VjpContext& c) {
  Value zeros = constant(c.b, 0, c.call.input(0).shape);
  return {add_columns(c.b, zeros, c.grads[0], attrs_of(c.call).first)};
}

std::vector<Value> vjp_add(const VjpContext& c) {
  const auto& a = attrs_of(c.call);
  return {c.needs(0) ? c.grads[0] : Value{},
          c.needs(1) ? take_columns(c.b, c.grads[0], a.first, a.count) : Value{}};
}

Cost cost_take(const OpCall& call) { return {0, 2.0 * static_cast<double>(call.out[0].bytes())}; }
// As if in place.
Cost cost_add(const OpCall& call) {
  auto elements = static_cast<double>(call.input(1).shape.elements());
  return {elements, 2 * elements * static_cast<double>(size_of(call.out[0].dtype)) +
                        static_cast<double>(call.input(1).bytes())};
}

constexpr Alias in_place[] = {{.output = 0, .input = 0}};

}  // namespace

const OpDef& take_columns_op() {
  static const OpDef op = {.name = "take_columns",
                           .min_inputs = 1,
                           .max_inputs = 1,
                           .infer = infer_take,
                           .reference = reference_take,
                           .vjp = vjp_take,
                           .cost = cost_take,
                           .low_accept = bit(0),
                           .low_outputs = bit(0)};
  return op;
}

const OpDef& add_columns_op() {
  static const OpDef op = {.name = "add_columns",
                           .min_inputs = 2,
                           .max_inputs = 2,
                           .infer = infer_add,
                           .reference = reference_add,
                           .vjp = vjp_add,
                           .cost = cost_add,
                           .low_accept = bit(0) | bit(1),
                           .low_outputs = bit(0),
                           .may_alias = in_place};
  return op;
}

Value take_columns(Builder& b, Value x, int64_t first, int64_t count) {
  return b.emit1(take_columns_op(), {x}, Attrs::of(ColumnsAttrs{first, count}));
}

Value add_columns(Builder& b, Value y, Value delta, int64_t first) {
  return b.emit1(add_columns_op(), {y, delta}, Attrs::of(ColumnsAttrs{first, b.shape(delta)[-1]}));
}

}  // namespace anneal
