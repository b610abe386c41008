#pragma once

#include <span>
#include <vector>

#include "anneal/data/tokenizer/flat_map.hpp"
#include "anneal/data/tokenizer/vocabulary.hpp"

namespace anneal::bpe {

// How the parts of one word become tokens: of all neighbouring pairs that have a merge, the one
// whose merge was learned first (the leftmost, if it occurs several times) is joined, until none is
// left.
class Merges {
 public:
  explicit Merges(std::span<const Merge> merges);
  // Appends what the parts become.
  void apply(std::span<const int32_t> parts, std::vector<int32_t>& ids) const;

 private:
  struct Found {
    int32_t rank = kNoRank;
    int32_t merged = 0;
  };
  Found find(int32_t left, int32_t right) const {
    const Found* found = pairs_.find(pair_key(left, right));
    return found ? *found : Found{};
  }
  void apply_short(std::span<const int32_t> parts, std::vector<int32_t>& ids) const;
  void apply_long(std::span<const int32_t> parts, std::vector<int32_t>& ids) const;

  FlatMap<Found> pairs_;
};

}  // namespace anneal::bpe
