#pragma once

#include <cstdint>

namespace anneal::testing {

// How often the test program has called operator new so far, on all threads.
int64_t allocation_count();

}  // namespace anneal::testing
