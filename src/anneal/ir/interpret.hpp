#pragma once

#include <map>
#include <string>

#include "anneal/ir/module.hpp"

namespace anneal {

// The reference interpreter: runs a program in FP64, op by op, from each op's reference (or its
// expansion). Dtypes are not rounded to; it is the mathematics that a compiled program must match.
struct RefState {
  std::map<int32_t, RefTensor> persistents;  // read and updated
  std::map<std::string, RefTensor> inputs;   // read
  std::map<std::string, RefTensor> outputs;  // written
  std::map<int32_t, RefTensor> gradients;    // written: parameter -> gradient
};
void interpret(const Program& program, RefState& state);

// Runs one op on FP64 tensors.
std::vector<RefTensor> interpret_op(const OpDef& op, const OpCall& call,
                                    std::span<const RefTensor* const> in);

}  // namespace anneal
