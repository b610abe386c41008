#include "anneal/data/tokenizer/merges.hpp"

#include <algorithm>
#include <limits>
#include <queue>

#include "anneal/base/error.hpp"

namespace anneal::bpe {

Merges::Merges(std::span<const Merge> merges) : pairs_(merges.size()) {
  for (size_t i = 0; i < merges.size(); ++i)
    pairs_[pair_key(merges[i].left, merges[i].right)] = {static_cast<int32_t>(i), merges[i].merged};
}

void Merges::apply(std::span<const int32_t> parts, std::vector<int32_t>& ids) const {
  if (parts.size() <= kShortWord) {
    apply_short(parts, ids);
  } else {
    apply_long(parts, ids);
  }
}

// Looks at all pairs each time: quadratic, but the fastest way for words of ordinary length.
void Merges::apply_short(std::span<const int32_t> parts, std::vector<int32_t>& ids) const {
  // pairs[i] is that of the parts i and i + 1; the last part has none.
  int32_t id[kShortWord];
  Found pairs[kShortWord];
  int n = static_cast<int>(parts.size());
  std::copy(parts.begin(), parts.end(), id);
  auto update = [&](int i) { pairs[i] = i + 1 < n ? find(id[i], id[i + 1]) : Found{}; };
  for (int i = 0; i < n; ++i) update(i);
  while (n > 1) {
    int best = 0;
    for (int i = 1; i < n; ++i)
      if (pairs[i].rank < pairs[best].rank) best = i;
    if (pairs[best].rank == kNoRank) break;
    id[best] = pairs[best].merged;
    std::copy(id + best + 2, id + n, id + best + 1);
    std::copy(pairs + best + 2, pairs + n, pairs + best + 1);
    --n;
    if (best > 0) update(best - 1);
    update(best);
  }
  ids.insert(ids.end(), id, id + n);
}

// Keeps the pairs in a heap and the tokens in a linked list: n log n.
void Merges::apply_long(std::span<const int32_t> word, std::vector<int32_t>& ids) const {
  if (word.size() > std::numeric_limits<uint32_t>::max() - 1)
    throw Error(str("[tokenizer] a word of ", word.size(), " parts is too long; at most 4 G"));
  struct Part {
    int32_t id;
    Found pair;           // with the next part
    uint32_t next, prev;  // places in `parts`; n: none
  };
  uint32_t n = static_cast<uint32_t>(word.size());
  std::vector<Part> parts(n);
  for (uint32_t i = 0; i < n; ++i) parts[i] = {word[i], {}, i + 1, i ? i - 1 : n};

  // A heap entry is rank and place in one number; it is stale once the rank there differs.
  std::vector<uint64_t> heap;
  auto update = [&](uint32_t i) {
    Part& part = parts[i];
    part.pair = part.next < n ? find(part.id, parts[part.next].id) : Found{};
    return part.pair.rank != kNoRank;
  };
  auto entry = [&](uint32_t i) { return uint64_t(parts[i].pair.rank) << 32 | i; };
  for (uint32_t i = 0; i < n; ++i)
    if (update(i)) heap.push_back(entry(i));
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> queue(std::greater<>(),
                                                                             std::move(heap));
  while (!queue.empty()) {
    uint32_t at = static_cast<uint32_t>(queue.top());
    int32_t best = static_cast<int32_t>(queue.top() >> 32);
    queue.pop();
    Part& part = parts[at];
    if (part.pair.rank != best) continue;
    Part& gone = parts[part.next];
    part.id = part.pair.merged;
    part.next = gone.next;
    gone.pair.rank = kNoRank;
    if (part.next < n) parts[part.next].prev = at;
    if (update(at)) queue.push(entry(at));
    if (part.prev < n && update(part.prev)) queue.push(entry(part.prev));
  }
  for (uint32_t i = 0; i < n; i = parts[i].next) ids.push_back(parts[i].id);
}

}  // namespace anneal::bpe
