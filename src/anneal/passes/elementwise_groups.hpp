#pragma once

#include "anneal/ir/program.hpp"

namespace anneal {

// Replaces connected element-wise nodes of one output shape and phase by one node whose tape is
// theirs in order. A value that only the group reads never reaches memory.
void fuse_elementwise(Program& program);

}  // namespace anneal
