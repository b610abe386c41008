#pragma once

#include "anneal/ops/elementwise/elementwise.hpp"

namespace anneal {

// What each function of the family is: the one list of them.
struct EwFunction {
  Ew function;
  std::string_view name;
  int arity;
  // FP64 value; c is the instruction's constant.
  double (*value)(double a, double b, double c);
  // Gradient of operand `i` as nodes; y is the function's own output, dy its gradient.
  Value (*gradient)(Builder& b, int i, const Value* in, Value y, Value dy, float c);
};

const EwFunction& function_of(Ew function);

}  // namespace anneal
