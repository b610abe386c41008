#pragma once

#include "anneal/ir/builder.hpp"

namespace anneal {

// Columns [first, first + count) of rows that are longer.
struct ColumnsAttrs {
  int64_t first = 0;
  int64_t count = 1;
  bool operator==(const ColumnsAttrs&) const = default;
  void print(std::ostream& out) const { out << "columns " << first << "+" << count; }
};

// The columns themselves: x [..., C] -> [..., count], of x's dtype.
const OpDef& take_columns_op();
Value take_columns(Builder& b, Value x, int64_t first, int64_t count);

// y [..., C] with delta [..., count] added to the columns, of y's type; in place if wanted.
const OpDef& add_columns_op();
Value add_columns(Builder& b, Value y, Value delta, int64_t first);

}  // namespace anneal
