#pragma once

#include <array>
#include <string_view>

#include "anneal/data/tokenizer/flat_map.hpp"

namespace anneal::tokenizing {

// Texts by their bytes, to find all of them that a given text begins with.
class Trie {
 public:
  // A text that is added twice keeps the later value; values are not negative.
  void add(std::string_view text, int32_t value) {
    int32_t node = 0;
    for (unsigned char byte : text) {
      int32_t& next = next_[bpe::pair_key(node, byte)];
      if (next == 0) {
        next = static_cast<int32_t>(values_.size());
        values_.push_back(-1);
      }
      if (node == 0) first_[byte] = next;
      node = next;
    }
    values_[node] = value;
  }

  // Calls visit(length, value) for each text that `text` begins with, the shortest first.
  template <class Visit>
  void prefixes(std::string_view text, const Visit& visit) const {
    if (text.empty()) return;
    int32_t node = first_[static_cast<unsigned char>(text[0])];
    for (size_t length = 1; node != 0; ++length) {
      if (values_[node] >= 0) visit(length, values_[node]);
      if (length == text.size()) break;
      const int32_t* next =
          next_.find(bpe::pair_key(node, static_cast<unsigned char>(text[length])));
      node = next ? *next : 0;
    }
  }

  bool may_start(unsigned char byte) const { return first_[byte] != 0; }
  bool empty() const { return values_.size() == 1; }

 private:
  bpe::FlatMap<int32_t> next_;  // node and byte -> node
  std::array<int32_t, 256> first_{};
  std::vector<int32_t> values_ = {-1};  // of each node; node 0 is the root
};

}  // namespace anneal::tokenizing
