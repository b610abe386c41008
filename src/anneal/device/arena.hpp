#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace anneal {

// One block of zeroed memory for a whole run, every page of which is had from the system when the
// constructor or wait() returns: from then on a run has all it needs. Huge pages are asked for.
class Arena {
 public:
  enum class Pages {
    at_once,       // all there when the constructor returns
    in_background  // had by a thread of its own, beside what uses the block already
  };

  Arena() noexcept;
  // Throws UsageError where the machine has less memory than that, and Error where the system does
  // not give it; both say how much was asked for.
  explicit Arena(int64_t bytes, Pages pages = Pages::at_once);
  ~Arena();
  Arena(Arena&& other) noexcept;
  Arena& operator=(Arena&& other) noexcept {
    swap(other);
    return *this;
  }

  // Returns when every page is there. Throws Error where the system does not give one.
  void wait();

  std::byte* at(int64_t offset) const { return base_ + offset; }
  int64_t bytes() const { return bytes_; }

 private:
  class Population;
  void swap(Arena& other) {
    std::swap(base_, other.base_);
    std::swap(bytes_, other.bytes_);
    std::swap(population_, other.population_);
  }
  std::byte* base_ = nullptr;
  int64_t bytes_ = 0;
  std::unique_ptr<Population> population_;
};

}  // namespace anneal
