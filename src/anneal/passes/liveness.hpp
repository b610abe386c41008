#pragma once

#include <vector>

#include "anneal/ir/module.hpp"

namespace anneal {

// Values that share one place, and from when to when it is in use (positions in the order; -1:
// before the first node; the order's length: after the last).
struct Buffer {
  std::vector<int32_t> values;
  int64_t bytes = 0;
  int32_t first = 0;
  int32_t last = 0;
  int32_t persistent = -1;  // lies in this persistent's place
};

// Decides which values share a place: where an op must write over an input; where it may and the
// input is not needed any more; where a value is stored to a persistent. Throws InternalError where
// an op must overwrite a value that is still read later.
std::vector<Buffer> assign_buffers(const Program& program, const Module& module);

// Largest sum of the bytes of buffers in use at once, if nothing is lost to fragmentation; with
// `workspace` bytes by position.
int64_t peak_bytes(const std::vector<Buffer>& buffers, const std::vector<int64_t>& workspace);

}  // namespace anneal
