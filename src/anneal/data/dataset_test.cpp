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
  std::vector<int32_t> tokens(4), targets(4), positions(4);
  for (int32_t i = 0; i < 5; ++i) {
    EXPECT_EQ(data.read_sample(i, tokens, targets, positions), 4);
    EXPECT_EQ(positions, range(0, 4));
    EXPECT_EQ(tokens, range(4 * i, 4 * i + 4));
    EXPECT_EQ(targets, range(4 * i + 1, 4 * i + 5));
  }
}

TEST(Dataset, IsolatedDocumentsStartTheirPositionsAgain) {
  Folder folder;
  std::vector<TokenShard> shards;
  shards.push_back(TokenShard::open(folder.shard("a.bin", {range(0, 3), range(3, 8)}, 100)));
  shards.push_back(TokenShard::open(folder.shard("b.bin", {range(8, 13)}, 100)));
  TokenDataset data(std::move(shards));
  data.isolate_documents();
  std::vector<int32_t> tokens(6), targets(6), positions(6);
  EXPECT_EQ(data.read_sample(0, tokens, targets, positions), 5);
  EXPECT_EQ(tokens, range(0, 6));
  EXPECT_EQ(targets, (std::vector<int32_t>{1, 2, -1, 4, 5, 6}));
  EXPECT_EQ(positions, (std::vector<int32_t>{0, 1, 2, 0, 1, 2}));
  // What a sample begins with has lost its start, so it counts from there.
  EXPECT_EQ(data.read_sample(1, tokens, targets, positions), 5);
  EXPECT_EQ(tokens, range(6, 12));
  EXPECT_EQ(targets, (std::vector<int32_t>{7, -1, 9, 10, 11, 12}));
  EXPECT_EQ(positions, (std::vector<int32_t>{0, 1, 0, 1, 2, 3}));
}

TEST(Dataset, ADocumentThatStartsWithTheNextSampleIsNoTarget) {
  Folder folder;
  std::vector<TokenShard> shards;
  shards.push_back(TokenShard::open(folder.shard("a.bin", {range(0, 4), range(4, 9)}, 100)));
  TokenDataset data(std::move(shards));
  data.isolate_documents();
  std::vector<int32_t> tokens(4), targets(4), positions(4);
  EXPECT_EQ(data.read_sample(0, tokens, targets, positions), 3);
  EXPECT_EQ(targets, (std::vector<int32_t>{1, 2, 3, -1}));
  EXPECT_EQ(data.read_sample(1, tokens, targets, positions), 4);
  EXPECT_EQ(positions, range(0, 4));
}

TEST(Dataset, OnlySupervisedTokensAreTargets) {
  Folder folder;
  std::vector<uint8_t> marks(600);
  for (size_t i = 0; i < marks.size(); ++i) marks[i] = i % 3 == 0 || i % 7 == 0;
  {
    ShardWriter writer(folder.path("a.bin"), 1000, "");
    writer.begin_document();
    writer.append(range(0, 5), std::span(marks).first(5));
    writer.append(range(5, 600), std::span(marks).subspan(5));
    EXPECT_EQ(writer.finish().supervised, std::count(marks.begin(), marks.end(), 1));
  }
  std::vector<TokenShard> shards;
  shards.push_back(TokenShard::open(folder.path("a.bin")));
  TokenDataset data(std::move(shards));
  constexpr int32_t context = 299;
  std::vector<int32_t> tokens(context), targets(context), positions(context);
  for (int32_t i = 0; i < 2; ++i) {
    int64_t count = data.read_sample(i, tokens, targets, positions);
    for (int32_t t = 0; t < context; ++t) {
      int32_t token = i * context + t + 1;
      bool counts = marks[static_cast<size_t>(token)];
      count -= counts;
      ASSERT_EQ(targets[static_cast<size_t>(t)], counts ? token : -1);
    }
    EXPECT_EQ(count, 0);
  }
  std::filesystem::resize_file(mask_path(folder.path("a.bin")), 74);
  EXPECT_TRUE(failure_of([&] { TokenShard::open(folder.path("a.bin")); }).names("a.mask"));
  std::filesystem::remove(mask_path(folder.path("a.bin")));
  EXPECT_TRUE(failure_of([&] { TokenShard::open(folder.path("a.bin")); }).names("a.mask"));
}

TEST(Dataset, SequencesOfPackedShardsAreNotCut) {
  Folder folder;
  std::vector<TokenShard> shards;
  for (int32_t first : {0, 100}) {
    auto name = str(first, ".bin");
    ShardWriter writer(folder.path(name), 1000, "");
    writer.set_packed(4);
    // Two sequences, and the token behind them.
    for (int32_t at : {0, 4, 8}) {
      int32_t n = at < 8 ? 4 : 1;
      writer.begin_document();
      writer.append(range(first + at, first + at + n),
                    std::vector<uint8_t>(static_cast<size_t>(n), at < 8));
    }
    writer.finish();
    shards.push_back(TokenShard::open(folder.path(name)));
  }
  TokenDataset data(std::move(shards));
  data.isolate_documents();
  EXPECT_EQ(data.samples(4), 4);
  std::vector<int32_t> tokens(4), targets(4), positions(4);
  for (int32_t i = 0; i < 4; ++i) {
    int32_t first = i / 2 * 100 + i % 2 * 4;
    EXPECT_EQ(data.read_sample(i, tokens, targets, positions), 3);
    EXPECT_EQ(tokens, range(first, first + 4));
    EXPECT_EQ(positions, range(0, 4));
  }
}

TEST(Dataset, WhatCountsIsPartOfTheChecksum) {
  Folder folder;
  auto checksum = [&](uint8_t mark) {
    ShardWriter writer(folder.path("a.bin"), 100, "");
    writer.begin_document();
    writer.append(range(0, 3), std::vector<uint8_t>{1, mark, 1});
    writer.finish();
    std::vector<TokenShard> shards;
    shards.push_back(TokenShard::open(folder.path("a.bin")));
    return TokenDataset(std::move(shards)).checksum();
  };
  EXPECT_NE(checksum(0), checksum(1));
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
