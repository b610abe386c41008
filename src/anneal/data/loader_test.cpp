#include "anneal/data/loader.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "anneal/data/order.hpp"
#include "anneal/data/testing.hpp"
#include "anneal/data/testing/allocation_count.hpp"

namespace anneal {
namespace {

using testing::failure_of;
using testing::Folder;

// Tokens 0, 1, 2, …, so that the first token of a row tells its sample.
TokenDataset counting(const Folder& folder, int64_t tokens) {
  std::vector<int32_t> all(static_cast<size_t>(tokens));
  std::iota(all.begin(), all.end(), 0);
  std::vector<TokenShard> shards;
  shards.push_back(TokenShard::open(folder.shard("s.bin", {all}, std::max<int64_t>(tokens, 1))));
  return TokenDataset(std::move(shards));
}

LoaderOptions options(int64_t context, int64_t batch, bool shuffle, bool prefetch) {
  LoaderOptions o;
  o.context = context;
  o.batch = batch;
  o.shuffle = shuffle;
  o.prefetch = prefetch;
  o.seed = 42;
  return o;
}

struct Copy {
  std::vector<int32_t> tokens, targets;
  int64_t first_sample, valid, step;
  bool operator==(const Copy&) const = default;
};

Copy copy(const Batch& b) {
  return {{b.tokens.begin(), b.tokens.end()},
          {b.targets.begin(), b.targets.end()},
          b.first_sample,
          b.valid_tokens,
          b.step};
}

class Loader : public ::testing::TestWithParam<bool> {};  // prefetch

TEST_P(Loader, BatchesHoldTheSamplesInOrder) {
  Folder folder;
  const int64_t T = 5, B = 4;
  TokenDataset data = counting(folder, 7 * T + 3);  // 7 samples
  for (bool shuffle : {false, true}) {
    BatchLoader loader(data, options(T, B, shuffle, GetParam()));
    EXPECT_EQ(loader.samples(), 7);
    for (int64_t step = 0; step < 20; ++step) {
      const Batch& batch = loader.next();
      EXPECT_EQ(batch.step, step);
      EXPECT_EQ(batch.first_sample, step * B);
      EXPECT_EQ(batch.valid_tokens, B * T);
      for (int64_t row = 0; row < B; ++row) {
        int64_t sample = sample_index(42, step * B + row, 7, shuffle);
        EXPECT_EQ(batch.samples[static_cast<size_t>(row)], sample);
        for (int64_t t = 0; t < T; ++t) {
          auto at = static_cast<size_t>(t);
          EXPECT_EQ(batch.token_rows(row, 1)[at], sample * T + t);
          EXPECT_EQ(batch.target_rows(row, 1)[at], sample * T + t + 1);
        }
      }
    }
    EXPECT_DOUBLE_EQ(loader.epoch(14), 8.0);
  }
}

TEST_P(Loader, EachSampleComesOnceAnEpochForManySizes) {
  const int64_t T = 3;
  for (int64_t n : {1, 2, 3, 5, 8, 13, 31, 64, 100}) {
    Folder folder;
    TokenDataset data = counting(folder, n * T + 1);
    for (int64_t B : {1, 2, 7}) {
      BatchLoader loader(data, options(T, B, true, GetParam()));
      std::vector<int64_t> seen;
      while (static_cast<int64_t>(seen.size()) < 3 * n)
        for (int64_t sample : loader.next().samples) seen.push_back(sample);
      for (int64_t epoch = 0; epoch < 3; ++epoch) {
        auto begin = seen.begin() + epoch * n;
        EXPECT_EQ(std::set<int64_t>(begin, begin + n).size(), static_cast<size_t>(n));
      }
    }
  }
}

TEST_P(Loader, SeekEqualsReadingThrough) {
  Folder folder;
  TokenDataset data = counting(folder, 200);
  BatchLoader all(data, options(4, 3, true, GetParam()));
  std::vector<Copy> batches;
  for (int i = 0; i < 60; ++i) batches.push_back(copy(all.next()));
  BatchLoader loader(data, options(4, 3, true, GetParam()));
  for (int64_t step : {0, 1, 59, 30, 30, 7, 0, 58}) {
    loader.seek(step);
    for (int64_t s = step; s < std::min<int64_t>(step + 3, 60); ++s)
      EXPECT_EQ(copy(loader.next()), batches[static_cast<size_t>(s)]);
  }
  // A step a trillion ahead is as near as any other.
  loader.seek(int64_t{1} << 40);
  EXPECT_EQ(loader.next().first_sample, 3 * (int64_t{1} << 40));
  for (int i = 0; i < 200; ++i) loader.seek(i);
  EXPECT_EQ(loader.next().step, 199);
}

TEST_P(Loader, NothingIsAllocatedAfterConstruction) {
  Folder folder;
  TokenDataset data = counting(folder, 5000);
  BatchLoader loader(data, options(16, 8, true, GetParam()));
  loader.next();
  int64_t before = testing::allocation_count();
  int64_t sum = 0;
  for (int i = 0; i < 100; ++i) sum += loader.next().tokens[0];
  loader.seek(3);
  sum += loader.next().tokens[0];
  EXPECT_EQ(testing::allocation_count(), before);
  EXPECT_GT(sum, 0);
  int64_t slots = GetParam() ? 2 : 1;
  EXPECT_EQ(BatchLoader::memory_bytes(options(16, 8, true, GetParam())),
            slots * (3 * 16 * 8 * 4 + 8 * 8));
  EXPECT_GE(loader.total_wait_seconds(), loader.wait_seconds());
}

TEST_P(Loader, ErrorsOfReadingReachTheCaller) {
  Folder folder;
  std::vector<uint16_t> tokens(101, 1);
  tokens[57] = 9;
  std::vector<TokenShard> shards;
  shards.push_back(TokenShard::open_bare(folder.bare("b.bin", tokens), TokenWidth::u16, 5));
  TokenDataset data(std::move(shards));
  BatchLoader loader(data, options(10, 1, false, GetParam()));
  for (int i = 0; i < 5; ++i) loader.next();
  for (int i = 0; i < 2; ++i) {
    auto f = failure_of([&] { loader.next(); });
    EXPECT_EQ(f.code, 2);
    EXPECT_TRUE(f.names("b.bin] token 57 is 9")) << f.message;
  }
  loader.seek(6);
  EXPECT_EQ(loader.next().step, 6);
}

TEST_P(Loader, ShutsDownAtAnyMoment) {
  Folder folder;
  TokenDataset data = counting(folder, 500);
  for (int i = 0; i < 100; ++i) {
    BatchLoader loader(data, options(4, 8, true, GetParam()));
    for (int k = 0; k < i % 4; ++k) ASSERT_EQ(loader.next().step, k);
    if (i % 3 == 0) loader.seek(i);
  }
}

TEST_P(Loader, BatchesLargerThanTheDataWrap) {
  Folder folder;
  TokenDataset data = counting(folder, 9);  // 2 samples of 4
  BatchLoader loader(data, options(4, 5, false, GetParam()));
  const Batch& batch = loader.next();
  EXPECT_EQ(std::vector<int64_t>(batch.samples.begin(), batch.samples.end()),
            (std::vector<int64_t>{0, 1, 0, 1, 0}));
}

INSTANTIATE_TEST_SUITE_P(Prefetch, Loader, ::testing::Bool());

TEST(LoaderErrors, NameTheKey) {
  Folder folder;
  TokenDataset data = counting(folder, 100);
  auto failure = [&](int64_t context, int64_t batch, int64_t micro) {
    LoaderOptions o = options(context, batch, true, true);
    o.micro_batch = micro;
    return failure_of([&] { BatchLoader(data, o); });
  };
  EXPECT_EQ(failure(99, 1, 1).code, -1);
  EXPECT_TRUE(failure(100, 1, 1).names(
      "model.context = 100 needs at least 101 tokens, the training data has 100"));
  EXPECT_TRUE(failure(0, 1, 1).names("[model.context]"));
  EXPECT_TRUE(failure(4, 0, 1).names("[train.batch]"));
  EXPECT_TRUE(failure(4, 6, 4).names("[train.micro_batch]"));
  EXPECT_TRUE(failure(4, int64_t{1} << 60, 1).names("[train.batch]"));
  EXPECT_EQ(failure(4, 6, 4).code, 2);
}

TEST(Evaluation, ReadsTheSameFirstBatches) {
  Folder folder;
  TokenDataset data = counting(folder, 7 * 4 + 1);  // 7 samples of 4
  EvaluationReader reader(data, 4, 3, 100);
  ASSERT_EQ(reader.batches(), 3);
  for (int round = 0; round < 2; ++round)
    for (int64_t b = 0; b < 3; ++b) {
      const Batch& batch = reader.read(b);
      int64_t rows = b < 2 ? 3 : 1;
      EXPECT_EQ(batch.valid_tokens, rows * 4);
      for (int64_t row = 0; row < 3; ++row) {
        bool full = row < rows;
        EXPECT_EQ(batch.samples[static_cast<size_t>(row)], full ? b * 3 + row : -1);
        EXPECT_EQ(batch.token_rows(row, 1)[0], full ? (b * 3 + row) * 4 : 0);
        EXPECT_EQ(batch.target_rows(row, 1)[3], full ? (b * 3 + row) * 4 + 4 : -1);
      }
    }
  EXPECT_EQ(EvaluationReader(data, 4, 3, 2).batches(), 2);
  EXPECT_EQ(EvaluationReader(data, 4, 7, 2).batches(), 1);
  EXPECT_EQ(EvaluationReader::memory_bytes(4, 3), 3 * 3 * 4 * 4 + 3 * 8);
  auto f = failure_of([&] { EvaluationReader(data, 29, 1, 1); });
  EXPECT_EQ(f.code, 2);
  EXPECT_TRUE(f.names("[data.validation] holds 29 tokens, model.context = 29 needs at least 30"));
}

}  // namespace
}  // namespace anneal
