// How the bytes of one word become tokens: of all neighbouring pairs that have a merge, the one
// whose merge was learned first (the leftmost, if it occurs several times) is joined, until none is
// left.
#include <algorithm>
#include <limits>
#include <queue>

#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer/vocabulary.hpp"

namespace anneal::bpe {

// Looks at all pairs each time: quadratic, but the fastest way for words of ordinary length.
void Vocabulary::merge_short(std::string_view word, std::vector<int32_t>& ids) const {
  // ranks[i] is that of the pair (i, i + 1); the last part has none.
  int32_t id[kShortWord], ranks[kShortWord];
  int n = static_cast<int>(word.size());
  for (int i = 0; i < n; ++i) id[i] = byte_ids_[static_cast<unsigned char>(word[i])];
  auto update = [&](int i) { ranks[i] = i + 1 < n ? rank(id[i], id[i + 1]) : kNoRank; };
  for (int i = 0; i < n; ++i) update(i);
  while (n > 1) {
    int best = 0;
    for (int i = 1; i < n; ++i)
      if (ranks[i] < ranks[best]) best = i;
    if (ranks[best] == kNoRank) break;
    id[best] = spec_.merges[ranks[best]].merged;
    std::copy(id + best + 2, id + n, id + best + 1);
    std::copy(ranks + best + 2, ranks + n, ranks + best + 1);
    --n;
    if (best > 0) update(best - 1);
    update(best);
  }
  ids.insert(ids.end(), id, id + n);
}

// Keeps the pairs in a heap and the tokens in a linked list: n log n.
void Vocabulary::merge_long(std::string_view word, std::vector<int32_t>& ids) const {
  if (word.size() > std::numeric_limits<uint32_t>::max() - 1)
    throw Error(str("[tokenizer] a word of ", word.size(), " bytes is too long; at most 4 GiB"));
  struct Part {
    int32_t id;
    int32_t rank;         // of the pair with the next part
    uint32_t next, prev;  // places in `parts`; n: none
  };
  uint32_t n = static_cast<uint32_t>(word.size());
  std::vector<Part> parts(n);
  for (uint32_t i = 0; i < n; ++i)
    parts[i] = {byte_ids_[static_cast<unsigned char>(word[i])], kNoRank, i + 1, i ? i - 1 : n};

  // A heap entry is rank and place in one number; it is stale once parts[place].rank differs.
  std::vector<uint64_t> heap;
  auto update = [&](uint32_t i) {
    Part& part = parts[i];
    part.rank = part.next < n ? rank(part.id, parts[part.next].id) : kNoRank;
    return part.rank != kNoRank;
  };
  auto entry = [&](uint32_t i) { return uint64_t(parts[i].rank) << 32 | i; };
  for (uint32_t i = 0; i < n; ++i)
    if (update(i)) heap.push_back(entry(i));
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> queue(std::greater<>(),
                                                                             std::move(heap));
  while (!queue.empty()) {
    uint32_t at = static_cast<uint32_t>(queue.top());
    int32_t best = static_cast<int32_t>(queue.top() >> 32);
    queue.pop();
    Part& part = parts[at];
    if (part.rank != best) continue;
    Part& gone = parts[part.next];
    part.id = spec_.merges[best].merged;
    part.next = gone.next;
    gone.rank = kNoRank;
    if (part.next < n) parts[part.next].prev = at;
    if (update(at)) queue.push(entry(at));
    if (part.prev < n && update(part.prev)) queue.push(entry(part.prev));
  }
  for (uint32_t i = 0; i < n; i = parts[i].next) ids.push_back(parts[i].id);
}

}  // namespace anneal::bpe
