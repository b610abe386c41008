#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "anneal/base/error.hpp"
#include "anneal/data/dataset.hpp"

namespace anneal {

// The global batch of one step, over all ranks and micro-batches.
struct Batch {
  int64_t rows = 0;                  // B
  int64_t context = 0;               // T
  std::span<const int32_t> tokens;   // [B, T]
  std::span<const int32_t> targets;  // [B, T], -1: not counted
  // [B, T]: of each token in its row, or in its document where documents are isolated.
  std::span<const int32_t> positions;
  std::span<const int64_t> samples;  // [B], index in the data set, -1: an empty row
  int64_t valid_tokens = 0;          // targets that count
  int64_t first_sample = 0;          // step * B, never wrapped at an epoch
  int64_t step = 0;                  // from 0

  // Rows [first, first + count) of tokens, targets or positions: one micro-batch.
  std::span<const int32_t> token_rows(int64_t first, int64_t count) const {
    return rows_of(tokens, first, count);
  }
  std::span<const int32_t> target_rows(int64_t first, int64_t count) const {
    return rows_of(targets, first, count);
  }
  std::span<const int32_t> position_rows(int64_t first, int64_t count) const {
    return rows_of(positions, first, count);
  }

 private:
  std::span<const int32_t> rows_of(std::span<const int32_t> all, int64_t first,
                                   int64_t count) const {
    ANNEAL_ASSERT(std::ssize(all) == rows * context,
                  "a batch without tokens, targets or positions");
    return all.subspan(static_cast<size_t>(first * context), static_cast<size_t>(count * context));
  }
};

struct LoaderOptions {
  int64_t context = 0;      // T, tokens a sequence
  int64_t batch = 0;        // B, sequences a step
  int64_t micro_batch = 0;  // divides B; 0: B
  bool shuffle = true;
  uint64_t seed = 1;
  bool prefetch = true;  // fill the next batch in a background thread
  // Called by the thread that reads, before each batch: what a slow source makes it wait for.
  std::function<void()> before_batch{};
};

// Reads the batches of a run in the order of order.hpp: step s takes global samples s*B … s*B+B-1.
// Allocates nothing after construction. The data set must outlive the loader.
class BatchLoader {
 public:
  // Throws UsageError naming the key when batch, micro_batch or context do not fit each other or
  // the data holds less than one sample.
  BatchLoader(const TokenDataset& dataset, const LoaderOptions& options);
  ~BatchLoader();
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;

  // The next batch, valid until the next call of next() or seek(). Rethrows what went wrong while
  // it was read (again at every call, until seek()).
  const Batch& next();

  // The next call of next() returns the batch of `step`. Constant time.
  void seek(int64_t step);

  int64_t samples() const;           // in an epoch
  double epoch(int64_t step) const;  // epochs done before this step
  // All buffers, allocated and touched by the constructor.
  static int64_t memory_bytes(const LoaderOptions& options);
  double wait_seconds() const;  // spent in the last next() until the batch was there
  double total_wait_seconds() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Reads the first batches of a data set in order, always the same: row r of batch b is sample
// b*B + r. Rows past the end of the data hold token 0 and targets that do not count.
class EvaluationReader {
 public:
  // At most `max_batches` batches, fewer when the data ends before. Throws UsageError naming
  // `key` (data.validation) when the data holds less than one sample.
  EvaluationReader(const TokenDataset& dataset, int64_t context, int64_t batch, int64_t max_batches,
                   const std::string& key = "data.validation");
  ~EvaluationReader();
  EvaluationReader(const EvaluationReader&) = delete;
  EvaluationReader& operator=(const EvaluationReader&) = delete;

  int64_t batches() const;
  // Batch `index` of batches(), valid until the next call. Allocates nothing.
  const Batch& read(int64_t index);
  static int64_t memory_bytes(int64_t context, int64_t batch);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace anneal
