#include "anneal/ops/elementwise/elementwise.hpp"

#include "anneal/ops/elementwise/broadcast.hpp"
#include "anneal/ops/elementwise/table.hpp"
#include "anneal/ops/reduce/sum_to.hpp"

namespace anneal {
namespace {

const ElementwiseAttrs& attrs_of(const OpCall& call) { return call.attrs.as<ElementwiseAttrs>(); }

// The shape that all inputs broadcast to: that of the largest one, of higher rank at a tie.
Shape output_shape(const OpCall& call) {
  Shape best;
  for (size_t i = 0; i < call.in.size(); ++i) {
    const Shape& s = call.input(i).shape;
    bool larger = s.elements() > best.elements();
    bool deeper = s.elements() == best.elements() && s.rank() > best.rank();
    if (larger || deeper) best = s;
  }
  return best;
}

std::vector<TensorType> infer(const OpCall& call) {
  const auto& attrs = attrs_of(call);
  ANNEAL_ASSERT(static_cast<int>(call.in.size()) == attrs.inputs);
  Shape shape = output_shape(call);
  // What all inputs agree on, else f32; scalars and constants do not count.
  std::optional<DType> dtype;
  for (size_t i = 0; i < call.in.size(); ++i) {
    const auto& type = call.input(i);
    ANNEAL_ASSERT(is_f32_or_low(type.dtype), "element-wise ops take f32, bf16 and f16, got ", type);
    broadcast_of(type.shape, shape);
    if (type.shape.rank() == 0 && shape.rank() > 0) continue;
    dtype = !dtype || dtype == type.dtype ? type.dtype : DType::f32;
  }
  TensorType result{dtype.value_or(DType::f32), shape};
  return std::vector<TensorType>(attrs.results.size(), result);
}

void reference(const OpCall& call, std::span<const RefTensor* const> in, std::span<RefTensor> out) {
  const auto& attrs = attrs_of(call);
  const Shape& shape = call.out[0].shape;
  size_t inputs = in.size();
  std::vector<double> operand(inputs + attrs.code.size());
  std::vector<Broadcast> forms;
  for (size_t i = 0; i < inputs; ++i) forms.push_back(broadcast_of(call.input(i).shape, shape));
  for (int64_t e = 0; e < shape.elements(); ++e) {
    for (size_t i = 0; i < inputs; ++i)
      operand[i] = in[i]->data[static_cast<size_t>(forms[i].index(e))];
    for (size_t k = 0; k < attrs.code.size(); ++k) {
      const auto& code = attrs.code[k];
      double a = operand[static_cast<size_t>(code.a)];
      double b = code.b >= 0 ? operand[static_cast<size_t>(code.b)] : 0;
      operand[inputs + k] = function_of(code.function).value(a, b, code.constant);
    }
    for (size_t o = 0; o < out.size(); ++o)
      out[o].data[static_cast<size_t>(e)] = operand[static_cast<size_t>(attrs.results[o])];
  }
}

// A tape as one node per instruction.
std::vector<Value> expand(Builder& b, const OpCall& call, std::span<const Value> in) {
  const auto& attrs = attrs_of(call);
  std::vector<Value> operand(in.begin(), in.end());
  for (const auto& code : attrs.code) {
    Value x = operand[static_cast<size_t>(code.a)];
    operand.push_back(code.b >= 0 ? apply(b, code.function, x, operand[static_cast<size_t>(code.b)])
                                  : apply(b, code.function, x, code.constant));
  }
  std::vector<Value> results;
  for (int32_t r : attrs.results) results.push_back(operand[static_cast<size_t>(r)]);
  return results;
}

std::vector<Value> vjp(const VjpContext& c) {
  const auto& attrs = attrs_of(c.call);
  ANNEAL_ASSERT(attrs.code.size() == 1, "only plain element-wise nodes are differentiated");
  const auto& code = attrs.code[0];
  std::vector<Value> result(c.inputs.size());
  // The same value may be both operands; each occurrence gets its own gradient.
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    if (!c.needs(i)) continue;
    Value g = function_of(code.function)
                  .gradient(c.b, static_cast<int>(i), c.inputs.data(), c.outputs[0], c.grads[0],
                            code.constant);
    if (!g) continue;
    if (c.b.shape(g) != c.call.input(i).shape) g = sum_to(c.b, g, c.call.input(i).shape);
    result[i] = cast(c.b, g, c.call.input(i).dtype);
  }
  return result;
}

Cost cost(const OpCall& call) {
  Cost cost;
  for (size_t i = 0; i < call.in.size(); ++i)
    cost.bytes += static_cast<double>(call.input(i).bytes());
  for (const auto& type : call.out) cost.bytes += static_cast<double>(type.bytes());
  cost.flops = static_cast<double>(attrs_of(call).code.size()) *
               static_cast<double>(call.out[0].shape.elements());
  return cost;
}

bool sums_inputs(const OpCall& call) {
  const auto& attrs = attrs_of(call);
  return attrs.code.size() == 1 && attrs.code[0].function == Ew::add &&
         call.input(0).shape == call.input(1).shape;
}

// Every output may take the place of any input of the same type: elements are read before written.
constexpr int max_inputs = 24;
constexpr int max_outputs = 8;
const std::vector<Alias>& aliases() {
  static const std::vector<Alias> all = [] {
    std::vector<Alias> list;
    for (int o = 0; o < max_outputs; ++o)
      for (int i = 0; i < max_inputs; ++i) list.push_back({o, i});
    return list;
  }();
  return all;
}

}  // namespace

const OpDef& elementwise_op() {
  static const OpDef op = {.name = "elementwise",
                           .min_inputs = 1,
                           .max_inputs = max_inputs,
                           .infer = infer,
                           .reference = reference,
                           .expand = expand,
                           .vjp = vjp,
                           .cost = cost,
                           .low_accept = all_bits,
                           .low_outputs = all_bits,
                           .low_follows = true,
                           .elementwise = true,
                           .sums_inputs = sums_inputs,
                           .may_alias = aliases()};
  return op;
}

void ElementwiseAttrs::print(std::ostream& out) const {
  auto operand = [&](int32_t i) -> std::string {
    return i < inputs ? str("i", i) : str("t", i - inputs);
  };
  for (size_t k = 0; k < code.size(); ++k) {
    const auto& c = code[k];
    out << (k ? "; " : "") << 't' << k << '=' << name_of(c.function) << '(' << operand(c.a);
    if (c.b >= 0) out << ',' << operand(c.b);
    if (c.function == Ew::scale || c.function == Ew::shift) out << ',' << c.constant;
    out << ')';
  }
  out << " ->";
  for (int32_t r : results) out << ' ' << operand(r);
}

Value apply(Builder& b, Ew function, Value x, float constant) {
  ANNEAL_ASSERT(arity(function) == 1);
  ElementwiseAttrs attrs{
      .inputs = 1, .code = {{.function = function, .a = 0, .constant = constant}}, .results = {1}};
  return b.emit1(elementwise_op(), {x}, Attrs::of(std::move(attrs)));
}

Value cast(Builder& b, Value x, DType to) {
  ANNEAL_ASSERT(is_f32_or_low(to), "casts are between f32, bf16 and f16, got ", name_of(to));
  if (b.type(x).dtype == to) return x;
  Value result = apply(b, Ew::copy, x);
  b.program().info(result).type.dtype = to;
  return result;
}

Value apply(Builder& b, Ew function, Value x, Value y) {
  ANNEAL_ASSERT(arity(function) == 2);
  ElementwiseAttrs attrs{
      .inputs = 2, .code = {{.function = function, .a = 0, .b = 1}}, .results = {2}};
  return b.emit1(elementwise_op(), {x, y}, Attrs::of(std::move(attrs)));
}

}  // namespace anneal
