#include "anneal/ops/matmul/matmul.hpp"

#include "anneal/ops/matmul/extents.hpp"
#include "anneal/ops/reduce/sum_to.hpp"

namespace anneal {
namespace {

std::vector<TensorType> infer(const OpCall& call) {
  MatmulExtents e = matmul_extents(call);
  bool trans_a = call.attrs.as<MatmulAttrs>().trans_a;
  Shape shape = trans_a ? Shape{e.m, e.n} : call.input(0).shape.with_last(e.n);
  if (call.has(2)) ANNEAL_ASSERT(call.input(2).shape == Shape{e.n}, "bias ", call.input(2));
  if (call.has(3)) ANNEAL_ASSERT(call.input(3).shape == shape, "accumulates to ", call.input(3));
  return {{DType::f32, shape}};
}

void reference(const OpCall& call, std::span<const RefTensor* const> in, std::span<RefTensor> out) {
  MatmulExtents e = matmul_extents(call);
  const auto& attrs = call.attrs.as<MatmulAttrs>();
  for (int64_t i = 0; i < e.m; ++i) {
    for (int64_t j = 0; j < e.n; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < e.k; ++k)
        sum += in[0]->data[static_cast<size_t>(attrs.trans_a ? k * e.m + i : i * e.k + k)] *
               in[1]->data[static_cast<size_t>(attrs.trans_b ? j * e.k + k : k * e.n + j)];
      if (call.has(2)) sum += in[2]->data[static_cast<size_t>(j)];
      if (call.has(3)) sum += in[3]->data[static_cast<size_t>(i * e.n + j)];
      out[0].data[static_cast<size_t>(i * e.n + j)] = sum;
    }
  }
}

std::vector<Value> vjp(const VjpContext& c) {
  const auto& attrs = c.call.attrs.as<MatmulAttrs>();
  Value a = c.inputs[0], w = c.inputs[1], dy = c.grads[0];
  std::vector<Value> result(c.inputs.size());
  // y = A·B: dA = dY·Bᵀ, dB = Aᵀ·dY, each in the layout of its operand.
  if (attrs.trans_a) {
    ANNEAL_ASSERT(!attrs.trans_b, "no gradient of Aᵀ·Bᵀ");
    if (c.needs(0)) result[0] = matmul(c.b, w, dy, false, true);
    if (c.needs(1)) result[1] = matmul(c.b, a, dy);
  } else {
    if (c.needs(0)) result[0] = matmul(c.b, dy, w, false, !attrs.trans_b);
    if (c.needs(1)) result[1] = attrs.trans_b ? matmul(c.b, dy, a, true) : matmul(c.b, a, dy, true);
  }
  if (c.call.has(2) && c.needs(2)) result[2] = sum_to(c.b, dy, c.call.input(2).shape);
  if (c.call.has(3) && c.needs(3)) result[3] = dy;
  return result;
}

Cost cost(const OpCall& call) {
  MatmulExtents e = matmul_extents(call);
  Cost cost;
  cost.flops = 2.0 * static_cast<double>(e.m) * static_cast<double>(e.n) * static_cast<double>(e.k);
  for (const auto& type : call.in)
    if (type) cost.bytes += static_cast<double>(type->bytes());
  cost.bytes += static_cast<double>(call.out[0].bytes());
  return cost;
}

std::vector<MatrixProduct> products(const OpCall& call) {
  MatmulExtents e = matmul_extents(call);
  const auto& attrs = call.attrs.as<MatmulAttrs>();
  return {{.m = e.m,
           .n = e.n,
           .k = e.k,
           .trans_a = attrs.trans_a,
           .trans_b = attrs.trans_b,
           .a = call.input(0).dtype,
           .b = call.input(1).dtype,
           .c = call.out[0].dtype,
           .accumulate = call.has(3)}};
}

constexpr AccumulateInto accumulate[] = {{.output = 0, .input = 3}};

}  // namespace

MatmulExtents matmul_extents(const OpCall& call) {
  const auto& attrs = call.attrs.as<MatmulAttrs>();
  const Shape &a = call.input(0).shape, &b = call.input(1).shape;
  ANNEAL_ASSERT(a.rank() >= 1 && b.rank() >= 1, "matmul of ", a, " and ", b);
  int64_t b_rows = b.rows(), b_columns = b.row_length();
  MatmulExtents e{.m = attrs.trans_a ? a.row_length() : a.rows(),
                  .n = attrs.trans_b ? b_rows : b_columns,
                  .k = attrs.trans_a ? a.rows() : a.row_length()};
  ANNEAL_ASSERT((attrs.trans_b ? b_columns : b_rows) == e.k, "matmul of ", a,
                attrs.trans_a ? " (transposed)" : "", " and ", b,
                attrs.trans_b ? " (transposed)" : "", ": the inner extents differ");
  return e;
}

const OpDef& matmul_op() {
  static const OpDef op = {.name = "matmul",
                           .min_inputs = 2,
                           .max_inputs = 4,
                           .infer = infer,
                           .reference = reference,
                           .vjp = vjp,
                           .cost = cost,
                           .products = products,
                           .low_require = bit(0) | bit(1),
                           .low_outputs = bit(0),
                           .accumulate = accumulate,
                           .linear = {.x = 0, .weight = 1}};
  return op;
}

Value matmul(Builder& b, Value a, Value w, bool trans_a, bool trans_b, Value bias) {
  return b.emit1(matmul_op(), {a, w, bias}, Attrs::of(MatmulAttrs{trans_a, trans_b}));
}

}  // namespace anneal
