#pragma once

#include <cstdint>

namespace anneal {

// Bytes of memory that this process can have at most: what the machine has, or less where a control
// group (version 1 or 2) sets a limit. 0: unknown.
int64_t memory_limit();

// Of memory_limit(), what this process does not occupy yet, whatever others do; the largest number
// where that is unknown.
int64_t memory_left();

}  // namespace anneal
