#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace anneal {

// One block of zeroed memory for a whole run, every page touched at construction, so that a run
// that starts has all it needs. Huge pages are asked for.
class Arena {
 public:
  Arena() = default;
  // Throws UsageError where the machine has less memory than that, and Error where the system does
  // not give it; both say how much was asked for.
  explicit Arena(int64_t bytes);
  ~Arena();
  Arena(Arena&& other) noexcept { swap(other); }
  Arena& operator=(Arena&& other) noexcept {
    swap(other);
    return *this;
  }

  std::byte* at(int64_t offset) const { return base_ + offset; }
  int64_t bytes() const { return bytes_; }

 private:
  void swap(Arena& other) {
    std::swap(base_, other.base_);
    std::swap(bytes_, other.bytes_);
  }
  std::byte* base_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace anneal
