#include "anneal/data/tokenizer/vocabulary.hpp"

#include "anneal/base/rng.hpp"

namespace anneal::bpe {

TokenMap::TokenMap(std::span<const std::string> tokens) {
  size_t size = 64;
  while (size < 2 * tokens.size()) size *= 2;
  slots_.resize(size);
  for (size_t id = 0; id < tokens.size(); ++id) {
    uint64_t hash = hash64(tokens[id]);
    size_t at = hash & (size - 1);
    while (slots_[at].id >= 0) at = (at + 1) & (size - 1);
    slots_[at] = {static_cast<uint32_t>(hash >> 32), static_cast<int32_t>(id)};
  }
}

int32_t TokenMap::find(std::string_view bytes, std::span<const std::string> tokens) const {
  uint64_t hash = hash64(bytes);
  uint32_t tag = static_cast<uint32_t>(hash >> 32);
  for (size_t mask = slots_.size() - 1, at = hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.id < 0 || (slot.tag == tag && tokens[slot.id] == bytes)) return slot.id;
  }
}

std::vector<int32_t> byte_tokens(const TokenMap& map, std::span<const std::string> tokens) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::vector<int32_t> ids;
  for (int b = 0; b < 256; ++b)
    ids.push_back(map.find(std::string("<0x") + digits[b >> 4] + digits[b & 15] + '>', tokens));
  return ids;
}

}  // namespace anneal::bpe
