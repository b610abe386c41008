#pragma once

#include <vector>

#include "anneal/ops/elementwise/elementwise.hpp"

namespace anneal {

// Sums and products that a CPU does in one instruction, and what adaptive optimizers divide by.
enum class EwFused : uint8_t {
  none,
  multiply_add,       // a·b + c
  multiply_subtract,  // c − a·b
  multiply_shift,     // a·b + k
  combine,            // k·a + l·b
  divide_by_root,     // a / (sqrt(b)·c + k), the product in this order
};

// One pass of the kernel over a block.
struct TapeStep {
  Ew function = Ew::copy;
  EwFused fused = EwFused::none;   // instead of `function`
  int32_t a = -1, b = -1, c = -1;  // operands: inputs, then the results of earlier steps
  float k = 0, l = 0;              // k: also the constant of `function`
};

struct Tape {
  std::vector<TapeStep> steps;
  std::vector<int32_t> results;  // operand of each output
};

// The instructions of a node in as few steps as there are: a product or a multiple that only one
// sum reads becomes part of that sum, a sum with a root part of the division that alone reads it,
// and a copy is what it copies. No result of several is an input.
Tape make_tape(const ElementwiseAttrs& attrs);

}  // namespace anneal
