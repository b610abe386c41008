#include "anneal/data/tokenizer/word_counts.hpp"

#include "anneal/base/error.hpp"
#include "anneal/base/rng.hpp"
#include "anneal/data/tokenizer/splitter.hpp"

namespace anneal::bpe {

size_t WordCounts::add(std::string_view word, int64_t count) {
  uint64_t hash = hash64(word);
  uint32_t tag = static_cast<uint32_t>(hash >> 32);
  size_t mask = slots_.size() - 1, at = hash & mask;
  for (; slots_[at].entry != kNone; at = (at + 1) & mask)
    if (slots_[at].tag == tag && this->word(slots_[at].entry) == word) {
      entries_[slots_[at].entry].count += count;
      return slots_[at].entry;
    }
  if (entries_.size() >= kNone)
    throw Error("[tokenizer] the text has more than 4 G distinct words");
  slots_[at] = {tag, static_cast<uint32_t>(entries_.size())};
  entries_.push_back({bytes_.size(), count});
  bytes_.insert(bytes_.end(), word.begin(), word.end());
  if (2 * entries_.size() > slots_.size()) grow();
  return entries_.size() - 1;
}

void WordCounts::add_text(std::string_view text) {
  Splitter splitter(text);
  for (std::string_view word = splitter.next(); !word.empty(); word = splitter.next()) add(word);
}

void WordCounts::grow() {
  slots_.assign(2 * slots_.size(), Slot{});
  size_t mask = slots_.size() - 1;
  for (size_t i = 0; i < entries_.size(); ++i) {
    uint64_t hash = hash64(word(i));
    size_t at = hash & mask;
    while (slots_[at].entry != kNone) at = (at + 1) & mask;
    slots_[at] = {static_cast<uint32_t>(hash >> 32), static_cast<uint32_t>(i)};
  }
}

}  // namespace anneal::bpe
