#pragma once

#include <cstdint>
#include <vector>

namespace anneal::bpe {

// The key of a pair of token ids.
inline uint64_t pair_key(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

// A hash map from pairs of token ids to small values, with open addressing. ~0 is no valid key.
template <class Value>
class FlatMap {
 public:
  FlatMap() : slots_(kSmallest) {}
  explicit FlatMap(size_t expected) : FlatMap() {
    size_t size = kSmallest;
    while (size < 2 * expected) size *= 2;
    slots_.resize(size);
  }

  // The value of `key`, or nullptr.
  const Value* find(uint64_t key) const {
    const Slot& slot = slots_[place(key)];
    return slot.key == key ? &slot.value : nullptr;
  }

  // The value of `key`, default-constructed if it is new. Valid until the next call.
  Value& operator[](uint64_t key) {
    size_t at = place(key);
    if (slots_[at].key == key) return slots_[at].value;
    if (2 * ++size_ > slots_.size()) {
      std::vector<Slot> old(2 * slots_.size());
      old.swap(slots_);
      for (Slot& slot : old)
        if (slot.key != kEmpty) slots_[place(slot.key)] = slot;
      at = place(key);
    }
    slots_[at].key = key;
    return slots_[at].value;
  }

 private:
  static constexpr uint64_t kEmpty = ~uint64_t{0};
  static constexpr size_t kSmallest = 64;
  struct Slot {
    uint64_t key = kEmpty;
    Value value{};
  };

  // Where `key` is, or the empty slot where it would be.
  size_t place(uint64_t key) const {
    uint64_t h = key * 0x9E3779B97F4A7C15u;
    h = (h ^ h >> 32) * 0xD6E8FEB86659FD93u;
    size_t mask = slots_.size() - 1, at = (h ^ h >> 32) & mask;
    while (slots_[at].key != key && slots_[at].key != kEmpty) at = (at + 1) & mask;
    return at;
  }

  std::vector<Slot> slots_;
  size_t size_ = 0;
};

}  // namespace anneal::bpe
