#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace anneal::bpe {

// How often each word occurs.
class WordCounts {
 public:
  // Counts a word and returns its place, from 0 in the order of first occurrence.
  size_t add(std::string_view word, int64_t count = 1);
  // Adds all words of `text`, as Splitter cuts it.
  void add_text(std::string_view text);

  // Number of distinct words.
  size_t size() const { return entries_.size(); }
  std::string_view word(size_t i) const { return {bytes_.data() + entries_[i].begin, length(i)}; }
  int64_t count(size_t i) const { return entries_[i].count; }
  // Bytes of all distinct words.
  size_t bytes() const { return bytes_.size(); }

 private:
  struct Entry {
    size_t begin = 0;  // in bytes_
    int64_t count = 0;
  };
  struct Slot {
    uint32_t tag = 0;  // other bits of the hash
    uint32_t entry = kNone;
  };
  static constexpr uint32_t kNone = ~uint32_t{0};

  size_t length(size_t i) const {
    return (i + 1 < entries_.size() ? entries_[i + 1].begin : bytes_.size()) - entries_[i].begin;
  }
  void grow();

  std::vector<Entry> entries_;
  std::vector<char> bytes_;  // the words one after another
  std::vector<Slot> slots_ = std::vector<Slot>(1024);
};

}  // namespace anneal::bpe
