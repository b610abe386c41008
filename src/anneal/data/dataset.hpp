#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "anneal/data/token_shard.hpp"

namespace anneal {

// The tokens of one or several shards, one after the other, as one read-only sequence.
class TokenDataset {
 public:
  TokenDataset() = default;
  // Throws UsageError when the shards differ in vocabulary size or tokenizer, naming both.
  explicit TokenDataset(std::vector<TokenShard> shards);

  int64_t tokens() const { return starts_.back(); }
  int64_t vocab_size() const { return vocab_size_; }
  const std::string& tokenizer_hash() const { return tokenizer_hash_; }
  int64_t documents() const;   // 0 when a shard does not know
  int64_t text_bytes() const;  // -1 when a shard does not know
  // Of all tokens in their order, from the shards' own; "" when a shard does not know.
  std::string checksum() const;
  const std::vector<TokenShard>& shards() const { return shards_; }

  // From now on documents do not see each other: see read_sample. Takes 8 bytes a document. Throws
  // UsageError when a shard does not know where they start.
  void isolate_documents();

  // Samples of T tokens: floor((tokens - 1) / T). Sample i is tokens [i*T, i*T + T), its targets
  // are the same one later. Packed shards are counted one by one, so that none of their sequences
  // is cut.
  int64_t samples(int64_t context) const;
  // Where sample `index` begins in the sequence of all tokens.
  int64_t sample_begin(int64_t index, int64_t context) const;

  // Copies tokens [begin, begin + out.size()) of the sequence. Throws FormatError (exit code 2)
  // naming file and position when one is not below the vocabulary size.
  void read(int64_t begin, std::span<int32_t> out) const;

  // Copies sample `index`: tokens, targets and positions hold T each. A target that its shard does
  // not mark as supervised is -1. Positions are 0 … T-1; where documents are isolated they start
  // again with each, and a target beyond the end of a document is -1. Returns how many targets
  // count.
  int64_t read_sample(int64_t index, std::span<int32_t> tokens, std::span<int32_t> targets,
                      std::span<int32_t> positions) const;

 private:
  std::vector<TokenShard> shards_;
  std::vector<int64_t> starts_{0};  // of each shard, and the total
  int64_t vocab_size_ = 0;
  // Copies whether tokens [begin, begin + out.size()) count as targets.
  void read_supervised(int64_t begin, std::span<uint8_t> out) const;
  // Calls f(shard, first token in it, offset in the whole, count) for the parts of a range.
  template <class F>
  void for_parts(int64_t begin, int64_t count, F&& f) const;

  std::string tokenizer_hash_;
  bool packed_ = false;  // a shard holds packed sequences
  bool marked_ = false;  // a shard has a mask
  bool isolated_ = false;
  std::vector<int64_t> documents_;  // where each starts, if isolated
};

}  // namespace anneal
