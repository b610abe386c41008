#pragma once

#include <algorithm>
#include <cstdint>

namespace anneal {

// Memory that a library takes outside any workspace.
struct LibraryMemory {
  int64_t held = 0;     // bytes that its primitives keep: generated code, descriptors
  int64_t packing = 0;  // bytes that one thread takes while a call runs: packed operands

  // Of two calls of which only one runs at a time.
  LibraryMemory& operator+=(const LibraryMemory& other) {
    held += other.held;
    packing = std::max(packing, other.packing);
    return *this;
  }
};

}  // namespace anneal
