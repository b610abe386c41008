#pragma once

#include "anneal/ir/builder.hpp"

namespace anneal {

struct ConstantAttrs {
  double value = 0;
  Shape shape;
  DType dtype = DType::f32;
  bool operator==(const ConstantAttrs&) const = default;
  void print(std::ostream& out) const { out << value << ' ' << name_of(dtype) << shape; }
};

// A tensor filled with one value, rounded to its dtype. Takes no inputs.
const OpDef& constant_op();
Value constant(Builder& b, double value, const Shape& shape = {}, DType dtype = DType::f32);

}  // namespace anneal
