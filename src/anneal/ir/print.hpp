#pragma once

#include <ostream>

#include "anneal/ir/module.hpp"

namespace anneal {

// One line a node: outputs and their types, op, inputs, attributes, phase, scope.
void print(std::ostream& out, const Program& program, const Module* module = nullptr);
void print(std::ostream& out, const Module& module);

}  // namespace anneal
