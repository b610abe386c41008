#include "anneal/ops/collective/collective.hpp"

namespace anneal {
namespace {

Attrs attrs_of(const std::string& axis, int dim) { return Attrs::of(CollectiveAttrs{axis, dim}); }

std::vector<TensorType> infer(const OpCall& call) { return {call.input(0)}; }

std::vector<TensorType> infer_along(const OpCall& call) {
  int dim = call.attrs.as<CollectiveAttrs>().dim;
  ANNEAL_ASSERT(dim >= 0 && dim < call.input(0).shape.rank(), "dimension ", dim, " of ",
                call.input(0));
  return {call.input(0)};
}

void reference(const OpCall&, std::span<const RefTensor* const> in, std::span<RefTensor> out) {
  out[0].data = in[0]->data;
}

std::vector<Value> vjp_all_reduce(const VjpContext& c) { return {c.grads[0]}; }

std::vector<Value> vjp_all_gather(const VjpContext& c) {
  const auto& attrs = c.call.attrs.as<CollectiveAttrs>();
  return {reduce_scatter(c.b, c.grads[0], attrs.axis, attrs.dim)};
}

std::vector<Value> vjp_reduce_scatter(const VjpContext& c) {
  const auto& attrs = c.call.attrs.as<CollectiveAttrs>();
  return {all_gather(c.b, c.grads[0], attrs.axis, attrs.dim)};
}

constexpr Alias may_alias[] = {{.output = 0, .input = 0}};

OpDef collective(std::string_view name, std::vector<TensorType> (*infer)(const OpCall&),
                 std::vector<Value> (*vjp)(const VjpContext&)) {
  return {.name = name,
          .min_inputs = 1,
          .max_inputs = 1,
          .infer = infer,
          .reference = reference,
          .vjp = vjp,
          .low_accept = bit(0),
          .low_outputs = bit(0),
          .low_follows = true,
          .collective = true,
          .may_alias = may_alias};
}

}  // namespace

const OpDef& all_reduce_op() {
  static const OpDef op = collective("all_reduce", infer, vjp_all_reduce);
  return op;
}

const OpDef& all_gather_op() {
  static const OpDef op = collective("all_gather", infer_along, vjp_all_gather);
  return op;
}

const OpDef& reduce_scatter_op() {
  static const OpDef op = collective("reduce_scatter", infer_along, vjp_reduce_scatter);
  return op;
}

Value all_reduce(Builder& b, Value x, const std::string& axis) {
  return b.emit1(all_reduce_op(), {x}, attrs_of(axis, 0));
}

Value all_gather(Builder& b, Value x, const std::string& axis, int dim) {
  return b.emit1(all_gather_op(), {x}, attrs_of(axis, dim));
}

Value reduce_scatter(Builder& b, Value x, const std::string& axis, int dim) {
  return b.emit1(reduce_scatter_op(), {x}, attrs_of(axis, dim));
}

}  // namespace anneal
