#include "anneal/data/tokenizer/learn_merges.hpp"

#include <algorithm>
#include <queue>

#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer/byte_level.hpp"
#include "anneal/data/tokenizer/flat_map.hpp"

namespace anneal::bpe {
namespace {

// All distinct words lie one after another in `symbols_`, as linked lists of tokens that get
// shorter as pairs are joined. Each pair knows its count and where it may stand, so that joining
// one costs time in proportion to its occurrences.
class Learner {
 public:
  Learner(const WordCounts& words, std::span<const std::string> forbidden) : forbidden_(forbidden) {
    for (int32_t id = 0; id < 256; ++id)
      result_.tokens.emplace_back(1, static_cast<char>(byte_in_order(id)));
    place_words(words);
    for (uint32_t at = 0; at + 1 < symbols_.size(); ++at)
      if (symbols_[at].id >= 0 && symbols_[at + 1].id >= 0)
        add(symbols_[at].id, symbols_[at + 1].id, at);
    push_touched();
  }

  LearnedMerges learn(size_t wanted) {
    while (result_.tokens.size() < wanted && !queue_.empty()) {
      Candidate top = queue_.top();
      queue_.pop();
      Pair& pair = pairs_[top.pair];
      if (top.count != pair.count) {  // it has become rarer since
        if (pair.count > 0) queue_.push({pair.count, pair.left, pair.right, top.pair});
        continue;
      }
      std::string spelled = result_.tokens[pair.left] + result_.tokens[pair.right];
      if (std::find(forbidden_.begin(), forbidden_.end(), spelled) != forbidden_.end()) {
        pair.count = 0;
        continue;
      }
      // The token is new: what happens between the ends of an occurrence of some bytes does not
      // depend on what stands around it, so that the same bytes are always joined in the same way.
      const int32_t merged = static_cast<int32_t>(result_.tokens.size());
      result_.merges.push_back({pair.left, pair.right, merged});
      result_.tokens.push_back(std::move(spelled));
      join(top.pair, merged);
      push_touched();
    }
    return std::move(result_);
  }

 private:
  // The largest number of bytes in distinct words; places are 32-bit numbers.
  static constexpr size_t kMostSymbols = size_t{0xFFFFFFFF};
  static constexpr int32_t kBoundary = -1, kGone = -2;

  struct Symbol {
    int32_t id;           // of the token that starts here, or kBoundary, or kGone
    uint32_t next, prev;  // places of the neighbours
    uint32_t word;
  };
  struct Pair {
    int32_t left = 0, right = 0;
    int64_t count = 0;
    bool touched = false;
    std::vector<uint32_t> places;  // of the left token; some no longer hold
  };
  struct Candidate {
    int64_t count;
    int32_t left, right;
    uint32_t pair;
    // Whether the other one comes first.
    bool operator<(const Candidate& other) const {
      if (count != other.count) return count < other.count;
      if (left != other.left) return left > other.left;
      return right > other.right;
    }
  };

  void place_words(const WordCounts& words) {
    if (words.bytes() + words.size() + 1 > kMostSymbols)
      throw UsageError(str("[tokenizer] the distinct words of the text have ", words.bytes(),
                           " bytes; at most 4 GiB can be learned from (use a part of the text)"));
    int32_t id_of_byte[256];
    for (int32_t id = 0; id < 256; ++id) id_of_byte[byte_in_order(id)] = id;
    symbols_.reserve(words.bytes() + words.size() + 1);
    auto place = [&](int32_t id, size_t word) {
      uint32_t at = static_cast<uint32_t>(symbols_.size());
      symbols_.push_back({id, at + 1, at - 1, static_cast<uint32_t>(word)});
    };
    place(kBoundary, 0);
    for (size_t w = 0; w < words.size(); ++w) {
      counts_.push_back(words.count(w));
      for (unsigned char byte : words.word(w)) place(id_of_byte[byte], w);
      place(kBoundary, w);
    }
  }

  uint32_t index(int32_t left, int32_t right) {
    uint32_t& found = index_[pair_key(left, right)];  // counted from 1; 0: new
    if (found == 0) {
      pairs_.push_back({left, right, 0, false, {}});
      found = static_cast<uint32_t>(pairs_.size());
    }
    return found - 1;
  }

  void add(int32_t left, int32_t right, uint32_t at) {
    uint32_t i = index(left, right);
    Pair& pair = pairs_[i];
    pair.count += counts_[symbols_[at].word];
    pair.places.push_back(at);
    if (!pair.touched) {
      pair.touched = true;
      touched_.push_back(i);
    }
  }

  void push_touched() {
    for (uint32_t i : touched_) {
      Pair& pair = pairs_[i];
      pair.touched = false;
      if (pair.count > 0) queue_.push({pair.count, pair.left, pair.right, i});
    }
    touched_.clear();
  }

  // Joins the pair into the token `merged` wherever it stands.
  void join(uint32_t i, int32_t merged) {
    const int32_t left = pairs_[i].left, right = pairs_[i].right;
    std::vector<uint32_t> places = std::move(pairs_[i].places);
    pairs_[i].places.clear();
    // From left to right, so that of an overlapping "aaa" the first two are joined, as in encoding.
    if (!std::is_sorted(places.begin(), places.end())) std::sort(places.begin(), places.end());
    for (uint32_t at : places) {
      Symbol& a = symbols_[at];
      if (a.id != left || symbols_[a.next].id != right) continue;
      Symbol& b = symbols_[a.next];
      const Symbol &before = symbols_[a.prev], &after = symbols_[b.next];
      int64_t count = counts_[a.word];
      if (before.id >= 0) remove(before.id, left, count);
      if (after.id >= 0) remove(right, after.id, count);
      a.id = merged;
      b.id = kGone;
      a.next = b.next;
      symbols_[a.next].prev = at;
      if (before.id >= 0) add(before.id, merged, a.prev);
      if (after.id >= 0) add(merged, after.id, at);
    }
    pairs_[i].count = 0;
  }

  void remove(int32_t left, int32_t right, int64_t count) {
    Pair& pair = pairs_[index(left, right)];
    pair.count -= count;
    if (pair.count == 0) std::vector<uint32_t>().swap(pair.places);
  }

  std::span<const std::string> forbidden_;
  LearnedMerges result_;
  std::vector<int64_t> counts_;  // of each word
  std::vector<Symbol> symbols_;
  std::vector<Pair> pairs_;
  FlatMap<uint32_t> index_;        // pair -> place in pairs_ + 1
  std::vector<uint32_t> touched_;  // pairs that have become more frequent
  std::priority_queue<Candidate> queue_;
};

}  // namespace

LearnedMerges learn_merges(const WordCounts& words, size_t wanted,
                           std::span<const std::string> forbidden) {
  return Learner(words, forbidden).learn(wanted);
}

}  // namespace anneal::bpe
