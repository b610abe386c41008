#pragma once

#include <cstdint>
#include <vector>

#include "anneal/ir/builder.hpp"

namespace anneal {

// The element-wise family: one op whose attributes are a small expression program ("tape"). A plain
// function such as gelu(x) is a tape of one instruction; fusing nodes concatenates their tapes, so
// a fused node does the same arithmetic in one pass over memory.
//
// Inputs broadcast to the output's shape, each in one of these forms: the same shape; a scalar
// (rank 0); a suffix of the shape ([C] to [B,T,C]); or the shape with a last extent of 1.
//
// Low precision: values are converted when loaded and rounded when stored; arithmetic is FP32.
enum class Ew : uint8_t {
  // unary
  copy,
  neg,
  square,
  sqrt,
  reciprocal,
  exp,
  log,
  tanh,
  sigmoid,
  relu,
  step,                   // 1 where x > 0, else 0: the derivative of relu
  gelu,                   // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), GPT-2's "gelu_new"
  gelu_derivative,        // d gelu / dx
  gelu_exact,             // x Φ(x) = 0.5 x (1 + erf(x / sqrt(2))), Hendrycks and Gimpel 2016
  gelu_exact_derivative,  // d gelu_exact / dx
  silu,                   // x sigmoid(x)
  silu_derivative,        // d silu / dx
  scale,                  // x · constant
  shift,                  // x + constant
  // binary
  add,
  sub,
  mul,
  div,
  maximum,
  minimum,
  count,
};

struct EwInstruction {
  Ew function = Ew::copy;
  int32_t a = -1;  // operand: an input (< inputs) or the result of an earlier instruction
  int32_t b = -1;
  float constant = 0;
  bool operator==(const EwInstruction&) const = default;
};

struct ElementwiseAttrs {
  int32_t inputs = 0;
  std::vector<EwInstruction> code;
  std::vector<int32_t> results;  // operand of each output
  bool operator==(const ElementwiseAttrs&) const = default;
  void print(std::ostream& out) const;
};

const OpDef& elementwise_op();

std::string_view name_of(Ew function);
int arity(Ew function);

Value apply(Builder& b, Ew function, Value x, float constant = 0);
Value apply(Builder& b, Ew function, Value x, Value y);

// x in another dtype, x itself if it has that one: f32 to bf16 or f16 (to nearest even) and back
// (exact). Its gradient is cast back to x's dtype.
Value cast(Builder& b, Value x, DType to);

inline Value add(Builder& b, Value x, Value y) { return apply(b, Ew::add, x, y); }
inline Value sub(Builder& b, Value x, Value y) { return apply(b, Ew::sub, x, y); }
inline Value mul(Builder& b, Value x, Value y) { return apply(b, Ew::mul, x, y); }
inline Value div(Builder& b, Value x, Value y) { return apply(b, Ew::div, x, y); }
inline Value scale(Builder& b, Value x, double c) {
  return apply(b, Ew::scale, x, static_cast<float>(c));
}
inline Value shift(Builder& b, Value x, double c) {
  return apply(b, Ew::shift, x, static_cast<float>(c));
}
inline Value square(Builder& b, Value x) { return apply(b, Ew::square, x); }
inline Value sqrt(Builder& b, Value x) { return apply(b, Ew::sqrt, x); }
inline Value reciprocal(Builder& b, Value x) { return apply(b, Ew::reciprocal, x); }
inline Value tanh(Builder& b, Value x) { return apply(b, Ew::tanh, x); }
inline Value relu(Builder& b, Value x) { return apply(b, Ew::relu, x); }
inline Value gelu(Builder& b, Value x) { return apply(b, Ew::gelu, x); }
inline Value gelu_exact(Builder& b, Value x) { return apply(b, Ew::gelu_exact, x); }
inline Value silu(Builder& b, Value x) { return apply(b, Ew::silu, x); }

}  // namespace anneal
