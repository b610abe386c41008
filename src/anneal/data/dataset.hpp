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

  // Samples of T tokens: floor((tokens - 1) / T). Sample i is tokens [i*T, i*T + T), its targets
  // are the same one later.
  int64_t samples(int64_t context) const;

  // Copies tokens [begin, begin + out.size()) of the sequence. Throws FormatError (exit code 2)
  // naming file and position when one is not below the vocabulary size.
  void read(int64_t begin, std::span<int32_t> out) const;

  // Copies sample `index`: tokens and targets hold T each.
  void read_sample(int64_t index, std::span<int32_t> tokens, std::span<int32_t> targets) const;

 private:
  std::vector<TokenShard> shards_;
  std::vector<int64_t> starts_{0};  // of each shard, and the total
  int64_t vocab_size_ = 0;
  std::string tokenizer_hash_;
};

}  // namespace anneal
