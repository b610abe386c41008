#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace anneal {

// Streaming 128-bit content hash (XXH3), used as a checksum of files. Not cryptographic.
class ContentHash {
 public:
  ContentHash();
  ~ContentHash();
  ContentHash(ContentHash&&) noexcept;
  ContentHash& operator=(ContentHash&&) noexcept;
  void update(const void* data, size_t bytes);
  // 32 hexadecimal digits of all bytes so far.
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace anneal
