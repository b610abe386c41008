#pragma once

#include "anneal/ir/builder.hpp"

namespace anneal {

struct CastAttrs {
  DType to = DType::f32;
  bool operator==(const CastAttrs&) const = default;
  void print(std::ostream& out) const { out << name_of(to); }
};

// x in another dtype: f32 to bf16 or f16 (to nearest even) and back (exact). Its gradient is cast
// back to x's dtype.
const OpDef& cast_op();
// x itself if it has that dtype already.
Value cast(Builder& b, Value x, DType to);

}  // namespace anneal
