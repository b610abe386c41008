#pragma once

#include <iterator>

#include "anneal/base/dtype.hpp"

namespace anneal {

// A table of kernels for each of low_dtypes. Of those for f32 alone, all hold the same.
template <class Table>
struct PerLow {
  Table tables[std::size(low_dtypes)];
  const Table& of(DType low) const { return tables[low == low_dtypes[0] ? 0 : 1]; }
};

// Makes them, from make(Tag<T>{}) with T the C++ type of each. For kernel sources: evaluated by the
// compiler, so that no code is shared between instruction sets.
template <class Make>
consteval auto per_low(Make make) {
  return PerLow<decltype(make(Tag<bf16>{}))>{{make(Tag<bf16>{}), make(Tag<f16>{})}};
}

}  // namespace anneal
