#pragma once

#include "anneal/ir/module.hpp"

namespace anneal {

// Throws InternalError naming program, node and scope when an invariant is broken: every value is
// produced before it is read, types are what the op infers (or a permitted low-precision form), a
// persistent value is stored at most once and never read after that, and outputs exist.
void verify(const Module& module, const std::string& after);
void verify(const Program& program, const Module* module, const std::string& where);

}  // namespace anneal
