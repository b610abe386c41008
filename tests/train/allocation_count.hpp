#pragma once

#include <cstdint>
#include <string>

namespace anneal {

// Counts what is allocated on the heap by any thread while one exists: this test program stands in
// front of the C library's malloc and its kin, which operator new calls as well. Allocations are
// told apart by whose code asked for them: oneDNN's and the OpenMP runtime's own, and all others,
// which are ours. One at a time.
class AllocationCount {
 public:
  // False where a sanitizer or another C library owns malloc.
  static bool available();

  AllocationCount();
  ~AllocationCount();
  AllocationCount(const AllocationCount&) = delete;
  AllocationCount& operator=(const AllocationCount&) = delete;

  int64_t ours() const;
  int64_t of_libraries() const;
  // Where the first of ours came from, innermost caller first: MODULE+OFFSET, as addr2line reads
  // it.
  std::string report() const;
};

}  // namespace anneal
