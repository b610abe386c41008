#include "anneal/data/dataset.hpp"

#include <algorithm>

#include "anneal/base/error.hpp"
#include "anneal/base/hash.hpp"

namespace anneal {

TokenDataset::TokenDataset(std::vector<TokenShard> shards) : shards_(std::move(shards)) {
  for (const TokenShard& shard : shards_) {
    const ShardInfo &first = shards_.front().info(), &info = shard.info();
    if (info.vocab_size != first.vocab_size || info.tokenizer_hash != first.tokenizer_hash)
      throw UsageError(str("[data.train] ", shards_.front().path(), " (vocabulary ",
                           first.vocab_size, ", tokenizer ", first.tokenizer_hash, ") and ",
                           shard.path(), " (vocabulary ", info.vocab_size, ", tokenizer ",
                           info.tokenizer_hash, ") were made by different tokenizers"));
    starts_.push_back(starts_.back() + info.count);
  }
  if (!shards_.empty()) {
    vocab_size_ = shards_.front().info().vocab_size;
    tokenizer_hash_ = shards_.front().info().tokenizer_hash;
  }
}

int64_t TokenDataset::documents() const {
  int64_t total = 0;
  for (const TokenShard& shard : shards_) {
    if (shard.info().documents == 0 && shard.size() > 0) return 0;
    total += shard.info().documents;
  }
  return total;
}

int64_t TokenDataset::text_bytes() const {
  int64_t total = 0;
  for (const TokenShard& shard : shards_) {
    if (shard.info().text_bytes < 0) return -1;
    total += shard.info().text_bytes;
  }
  return total;
}

std::string TokenDataset::checksum() const {
  ContentHash all;
  for (const TokenShard& shard : shards_) {
    const std::string& one = shard.info().checksum;
    if (one.empty()) return "";
    all.update(one.data(), one.size());
  }
  return all.hex();
}

int64_t TokenDataset::samples(int64_t context) const {
  ANNEAL_ASSERT(context > 0);
  return tokens() > 0 ? (tokens() - 1) / context : 0;
}

void TokenDataset::read(int64_t begin, std::span<int32_t> out) const {
  auto n = static_cast<int64_t>(out.size());
  ANNEAL_ASSERT(begin >= 0 && n <= tokens() && begin <= tokens() - n);
  auto after = std::upper_bound(starts_.begin(), starts_.end(), begin);
  auto shard = static_cast<size_t>(after - starts_.begin()) - 1;
  while (!out.empty()) {
    int64_t at = begin - starts_[shard];
    auto here =
        static_cast<size_t>(std::min(static_cast<int64_t>(out.size()), shards_[shard].size() - at));
    shards_[shard].read(at, out.first(here));
    out = out.subspan(here);
    begin += static_cast<int64_t>(here);
    ++shard;
  }
}

void TokenDataset::read_sample(int64_t index, std::span<int32_t> tokens,
                               std::span<int32_t> targets) const {
  ANNEAL_ASSERT(tokens.size() == targets.size() && !tokens.empty());
  auto context = static_cast<int64_t>(tokens.size());
  read(index * context, tokens);
  std::copy(tokens.begin() + 1, tokens.end(), targets.begin());
  read((index + 1) * context, targets.last(1));
}

}  // namespace anneal
