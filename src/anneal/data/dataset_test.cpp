#include "anneal/data/dataset.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "anneal/data/testing.hpp"

namespace anneal {
namespace {

using testing::failure_of;
using testing::Folder;

std::vector<int32_t> range(int32_t begin, int32_t end) {
  std::vector<int32_t> out(static_cast<size_t>(end - begin));
  std::iota(out.begin(), out.end(), begin);
  return out;
}

// Tokens 0, 1, 2, … spread over shards of these sizes.
TokenDataset counting(const Folder& folder, const std::vector<int32_t>& sizes) {
  std::vector<TokenShard> shards;
  int32_t at = 0;
  for (int32_t size : sizes) {
    auto name = str("s", shards.size(), ".bin");
    shards.push_back(TokenShard::open(folder.shard(name, {range(at, at + size)}, 1000)));
    at += size;
  }
  return TokenDataset(std::move(shards));
}

TEST(Dataset, ShardsReadAsOneSequence) {
  Folder folder;
  TokenDataset data = counting(folder, {5, 0, 1, 20, 0, 3});
  EXPECT_EQ(data.tokens(), 29);
  EXPECT_EQ(data.vocab_size(), 1000);
  for (int32_t begin = 0; begin <= 29; ++begin)
    for (int32_t end = begin; end <= 29; ++end) {
      std::vector<int32_t> out(static_cast<size_t>(end - begin));
      data.read(begin, out);
      EXPECT_EQ(out, range(begin, end));
    }
  std::vector<int32_t> out(2);
  EXPECT_THROW(data.read(28, out), InternalError);
  EXPECT_THROW(data.read(-1, out), InternalError);
}

TEST(Dataset, SamplesAndTheirTargets) {
  Folder folder;
  TokenDataset data = counting(folder, {11, 10});
  EXPECT_EQ(data.samples(4), 5);
  EXPECT_EQ(data.samples(20), 1);
  EXPECT_EQ(data.samples(21), 0);
  EXPECT_EQ(TokenDataset().samples(1), 0);
  std::vector<int32_t> tokens(4), targets(4);
  for (int32_t i = 0; i < 5; ++i) {
    data.read_sample(i, tokens, targets);
    EXPECT_EQ(tokens, range(4 * i, 4 * i + 4));
    EXPECT_EQ(targets, range(4 * i + 1, 4 * i + 5));
  }
}

TEST(Dataset, ShardsOfDifferentTokenizersAreRefused) {
  Folder folder;
  auto open = [&](const std::string& hash, int64_t vocab) {
    std::vector<TokenShard> shards;
    shards.push_back(TokenShard::open(folder.shard("a.bin", {{1}}, 100, "one")));
    shards.push_back(TokenShard::open(folder.shard("b.bin", {{1}}, vocab, hash)));
    return TokenDataset(std::move(shards));
  };
  EXPECT_EQ(open("one", 100).tokens(), 2);
  EXPECT_EQ(failure_of([&] { open("two", 100); }).code, 2);
  EXPECT_TRUE(failure_of([&] { open("one", 101); }).names("b.bin"));
}

TEST(Dataset, KnowsDocumentsAndTextWhenAllShardsDo) {
  Folder folder;
  TokenDataset data = counting(folder, {5, 6});
  EXPECT_EQ(data.documents(), 2);
  EXPECT_EQ(data.text_bytes(), -1);
}

}  // namespace
}  // namespace anneal
