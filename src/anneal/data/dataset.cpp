#include "anneal/data/dataset.hpp"

#include <algorithm>
#include <numeric>

#include "anneal/base/error.hpp"
#include "anneal/base/hash.hpp"

namespace anneal {
namespace {

// Whole sequences, behind which one token more lies.
int64_t packed_samples(const TokenShard& shard, int64_t context) {
  return shard.size() > 0 ? (shard.size() - 1) / context : 0;
}

}  // namespace

TokenDataset::TokenDataset(std::vector<TokenShard> shards) : shards_(std::move(shards)) {
  for (const TokenShard& shard : shards_) {
    const ShardInfo &first = shards_.front().info(), &info = shard.info();
    if (info.vocab_size != first.vocab_size || info.tokenizer_hash != first.tokenizer_hash)
      throw UsageError(str("[data.train] ", shards_.front().path(), " (vocabulary ",
                           first.vocab_size, ", tokenizer ", first.tokenizer_hash, ") and ",
                           shard.path(), " (vocabulary ", info.vocab_size, ", tokenizer ",
                           info.tokenizer_hash, ") were made by different tokenizers"));
    starts_.push_back(starts_.back() + info.count);
    marked_ = marked_ || info.supervised >= 0;
    packed_ = packed_ || info.packed > 0;
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
    // What counts as a target, too.
    all.update(shard.info().mask_checksum.data(), shard.info().mask_checksum.size());
  }
  if (isolated_) all.update(documents_.data(), documents_.size() * sizeof(int64_t));
  return all.hex();
}

int64_t TokenDataset::samples(int64_t context) const {
  ANNEAL_ASSERT(context > 0);
  if (!packed_) return tokens() > 0 ? (tokens() - 1) / context : 0;
  int64_t total = 0;
  for (const TokenShard& shard : shards_) total += packed_samples(shard, context);
  return total;
}

int64_t TokenDataset::sample_begin(int64_t index, int64_t context) const {
  if (!packed_) return index * context;
  size_t shard = 0;
  for (int64_t n; index >= (n = packed_samples(shards_[shard], context)); ++shard) index -= n;
  return starts_[shard] + index * context;
}

void TokenDataset::isolate_documents() {
  documents_.clear();
  for (size_t i = 0; i < shards_.size(); ++i) {
    if (shards_[i].size() == 0) continue;
    auto offsets = shards_[i].document_offsets();
    if (offsets.empty())
      throw UsageError(
          str("[data.isolate_documents] ", shards_[i].path(),
              " does not say where documents start (prepare it again from text, or set "
              "data.isolate_documents to false)"));
    for (int64_t offset : offsets) documents_.push_back(starts_[i] + offset);
  }
  isolated_ = true;
}

template <class F>
void TokenDataset::for_parts(int64_t begin, int64_t count, F&& f) const {
  ANNEAL_ASSERT(begin >= 0 && count <= tokens() && begin <= tokens() - count);
  auto after = std::upper_bound(starts_.begin(), starts_.end(), begin);
  auto shard = static_cast<size_t>(after - starts_.begin()) - 1;
  for (int64_t done = 0; done < count; ++shard) {
    int64_t at = begin + done - starts_[shard];
    int64_t here = std::min(count - done, shards_[shard].size() - at);
    f(shards_[shard], at, static_cast<size_t>(done), static_cast<size_t>(here));
    done += here;
  }
}

void TokenDataset::read(int64_t begin, std::span<int32_t> out) const {
  for_parts(begin, static_cast<int64_t>(out.size()),
            [&](const TokenShard& shard, int64_t at, size_t first, size_t count) {
              shard.read(at, out.subspan(first, count));
            });
}

void TokenDataset::read_supervised(int64_t begin, std::span<uint8_t> out) const {
  for_parts(begin, static_cast<int64_t>(out.size()),
            [&](const TokenShard& shard, int64_t at, size_t first, size_t count) {
              shard.read_supervised(at, out.subspan(first, count));
            });
}

int64_t TokenDataset::read_sample(int64_t index, std::span<int32_t> tokens,
                                  std::span<int32_t> targets, std::span<int32_t> positions) const {
  ANNEAL_ASSERT(tokens.size() == targets.size() && tokens.size() == positions.size() &&
                !tokens.empty());
  auto context = static_cast<int64_t>(tokens.size());
  int64_t begin = sample_begin(index, context);
  read(begin, tokens);
  std::copy(tokens.begin() + 1, tokens.end(), targets.begin());
  read(begin + context, targets.last(1));
  if (marked_) {
    uint8_t marks[256];
    for (int64_t first = 0; first < context; first += std::ssize(marks)) {
      auto n = static_cast<size_t>(std::min<int64_t>(std::ssize(marks), context - first));
      read_supervised(begin + 1 + first, std::span(marks, n));
      for (size_t i = 0; i < n; ++i)
        if (!marks[i]) targets[static_cast<size_t>(first) + i] = -1;
    }
  }
  std::iota(positions.begin(), positions.end(), 0);
  if (isolated_) {
    auto next = std::upper_bound(documents_.begin(), documents_.end(), begin);
    for (; next != documents_.end() && *next <= begin + context; ++next) {
      auto at = static_cast<size_t>(*next - begin);
      targets[at - 1] = -1;
      std::iota(positions.begin() + static_cast<std::ptrdiff_t>(at), positions.end(), 0);
    }
  }
  return std::count_if(targets.begin(), targets.end(), [](int32_t t) { return t >= 0; });
}

}  // namespace anneal
