#pragma once

// The transpose of a square of floats in registers, for kernel sources; see device/cpu/simd.hpp.

#include <utility>

#include "anneal/device/cpu/simd.hpp"

namespace anneal::ANNEAL_ISA {

// Lanes l of a and b such that bit Step of the row and of the lane change places.
template <int Step, int... L>
[[gnu::always_inline]] inline void swap_bit(vf& a, vf& b, std::integer_sequence<int, L...>) {
  vf low = __builtin_shufflevector(a, b, ((L & Step) ? width + (L ^ Step) : L)...);
  b = __builtin_shufflevector(a, b, ((L & Step) ? width + L : (L ^ Step))...);
  a = low;
}

template <int Step>
[[gnu::always_inline]] inline void transpose_from(vf (&rows)[width]) {
  if constexpr (Step < width) {
    for (int i = 0; i < width; ++i)
      if (!(i & Step))
        swap_bit<Step>(rows[i], rows[i | Step], std::make_integer_sequence<int, width>{});
    transpose_from<2 * Step>(rows);
  }
}

// Lane j of row i becomes lane i of row j.
[[gnu::always_inline]] inline void transpose(vf (&rows)[width]) { transpose_from<1>(rows); }

}  // namespace anneal::ANNEAL_ISA
