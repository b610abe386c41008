#include "anneal/data/loader.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>
#include <vector>

#include "anneal/base/background_thread.hpp"
#include "anneal/base/error.hpp"
#include "anneal/data/order.hpp"

namespace anneal {
namespace {

// A batch and the memory that its spans show.
struct Slot {
  std::vector<int32_t> tokens, targets, positions;
  std::vector<int64_t> samples;
  Batch batch;

  Slot(int64_t rows, int64_t context) {
    auto size = static_cast<size_t>(rows * context);
    tokens.assign(size, 0);
    targets.assign(size, 0);
    positions.assign(size, 0);
    samples.assign(static_cast<size_t>(rows), 0);
    batch.rows = rows;
    batch.context = context;
    batch.tokens = tokens;
    batch.targets = targets;
    batch.positions = positions;
    batch.samples = samples;
  }

  static int64_t bytes(int64_t rows, int64_t context) {
    constexpr int64_t token = sizeof(int32_t), sample = sizeof(int64_t);
    return rows * (3 * context * token + sample);
  }

  // sample_of(row) is the sample for a row, or -1 to leave it empty.
  template <class F>
  void fill(const TokenDataset& dataset, int64_t step, F&& sample_of) {
    batch.step = step;
    batch.first_sample = step * batch.rows;
    batch.valid_tokens = 0;
    auto context = static_cast<size_t>(batch.context);
    for (int64_t row = 0; row < batch.rows; ++row) {
      auto at = static_cast<size_t>(row) * context;
      auto row_tokens = std::span(tokens).subspan(at, context);
      auto row_targets = std::span(targets).subspan(at, context);
      auto row_positions = std::span(positions).subspan(at, context);
      int64_t sample = sample_of(row);
      samples[static_cast<size_t>(row)] = sample;
      if (sample < 0) {
        std::fill(row_tokens.begin(), row_tokens.end(), 0);
        std::fill(row_targets.begin(), row_targets.end(), -1);
        std::iota(row_positions.begin(), row_positions.end(), 0);
      } else {
        batch.valid_tokens += dataset.read_sample(sample, row_tokens, row_targets, row_positions);
      }
    }
  }
};

// With prefetch one batch is filled while the other is read.
int64_t slot_count(const LoaderOptions& options) { return options.prefetch ? 2 : 1; }

void check_size(const char* key, int64_t value) {
  if (value < 1) throw UsageError(str("[", key, "] expected at least 1, got ", value));
}

void check_shape(int64_t batch, int64_t context) {
  check_size("model.context", context);
  check_size("train.batch", batch);
  if (context > (int64_t{1} << 40) / batch)
    throw UsageError(str("[train.batch] ", batch, " sequences of ", context,
                         " tokens do not fit into memory (make train.batch smaller)"));
}

const LoaderOptions& checked(const TokenDataset& dataset, const LoaderOptions& options) {
  check_shape(options.batch, options.context);
  int64_t micro = options.micro_batch;
  if (micro < 0 || (micro > 0 && options.batch % micro != 0))
    throw UsageError(str("[train.micro_batch] ", micro,
                         " does not divide train.batch = ", options.batch, " (choose a divisor)"));
  if (dataset.samples(options.context) < 1)
    throw UsageError(str("[model.context] model.context = ", options.context, " needs at least ",
                         options.context + 1, " tokens, the training data has ", dataset.tokens(),
                         " (give more text, or a smaller context)"));
  return options;
}

}  // namespace

struct BatchLoader::State {
  // One slot when synchronous. Otherwise two: the batch last handed out keeps one, the thread fills
  // the other.
  enum class Fill { empty, busy, full };

  const TokenDataset& dataset;
  const LoaderOptions options;
  const int64_t samples;
  std::vector<Slot> slots;
  double wait = 0, total_wait = 0;

  std::mutex mutex;
  std::condition_variable changed;
  Fill fill[2] = {Fill::empty, Fill::empty};
  int held = -1;           // the slot that the caller looks at
  int read_slot = 0;       // where next() finds its batch
  int write_slot = 0;      // where the thread puts the next one
  int64_t write_step = 0;  // which that is
  bool stop = false;
  std::exception_ptr error;
  std::thread thread;

  State(const TokenDataset& dataset_, const LoaderOptions& options_)
      : dataset(dataset_),
        options(checked(dataset_, options_)),
        samples(dataset_.samples(options_.context)) {
    for (int64_t i = 0; i < slot_count(options); ++i)
      slots.emplace_back(options.batch, options.context);
  }

  void fill_slot(Slot& slot, int64_t step) {
    if (options.before_batch) options.before_batch();
    slot.fill(dataset, step, [&](int64_t row) {
      return sample_index(options.seed, step * options.batch + row, samples, options.shuffle);
    });
  }

  void start() {
    thread = background_thread([this] { run(); });
  }

  void run() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [&] { return stop || (!error && fill[write_slot] == Fill::empty); });
      if (stop) return;
      int slot = write_slot;
      int64_t step = write_step;
      fill[slot] = Fill::busy;
      lock.unlock();
      std::exception_ptr failure;
      try {
        fill_slot(slots[static_cast<size_t>(slot)], step);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      error = failure;
      fill[slot] = failure ? Fill::empty : Fill::full;
      if (!failure) {
        write_slot ^= 1;
        ++write_step;
      }
      changed.notify_all();
    }
  }

  const Batch& next_prefetched() {
    std::unique_lock lock(mutex);
    if (held >= 0) {
      fill[held] = Fill::empty;
      held = -1;
      changed.notify_all();
    }
    changed.wait(lock, [&] { return error || fill[read_slot] == Fill::full; });
    if (fill[read_slot] != Fill::full) std::rethrow_exception(error);
    held = read_slot;
    read_slot ^= 1;
    return slots[static_cast<size_t>(held)].batch;
  }

  const Batch& next_synchronous() {
    fill_slot(slots[0], write_step);
    ++write_step;
    return slots[0].batch;
  }

  void seek(int64_t step) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return fill[0] != Fill::busy && fill[1] != Fill::busy; });
    fill[0] = fill[1] = Fill::empty;
    held = -1;
    read_slot = write_slot = 0;
    write_step = step;
    error = nullptr;
    changed.notify_all();
  }

  ~State() {
    if (!thread.joinable()) return;
    {
      std::lock_guard lock(mutex);
      stop = true;
    }
    changed.notify_all();
    thread.join();
  }
};

BatchLoader::BatchLoader(const TokenDataset& dataset, const LoaderOptions& options)
    : state_(std::make_unique<State>(dataset, options)) {
  if (options.prefetch) state_->start();
}

BatchLoader::~BatchLoader() = default;

const Batch& BatchLoader::next() {
  auto begin = std::chrono::steady_clock::now();
  const Batch& batch =
      state_->options.prefetch ? state_->next_prefetched() : state_->next_synchronous();
  state_->wait = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  state_->total_wait += state_->wait;
  return batch;
}

void BatchLoader::seek(int64_t step) {
  ANNEAL_ASSERT(step >= 0);
  state_->seek(step);
}

int64_t BatchLoader::samples() const { return state_->samples; }

double BatchLoader::epoch(int64_t step) const {
  return static_cast<double>(step) * static_cast<double>(state_->options.batch) /
         static_cast<double>(state_->samples);
}

int64_t BatchLoader::memory_bytes(const LoaderOptions& options) {
  return slot_count(options) * Slot::bytes(options.batch, options.context);
}

double BatchLoader::wait_seconds() const { return state_->wait; }
double BatchLoader::total_wait_seconds() const { return state_->total_wait; }

struct EvaluationReader::State {
  const TokenDataset& dataset;
  int64_t samples;
  int64_t batches;
  Slot slot;
};

EvaluationReader::EvaluationReader(const TokenDataset& dataset, int64_t context, int64_t batch,
                                   int64_t max_batches, const std::string& key) {
  check_shape(batch, context);
  ANNEAL_ASSERT(max_batches >= 0);
  int64_t samples = dataset.samples(context);
  if (samples < 1)
    throw UsageError(str("[", key, "] holds ", dataset.tokens(),
                         " tokens, model.context = ", context, " needs at least ", context + 1,
                         " (give more text to evaluate on, or a smaller context)"));
  int64_t available = (samples + batch - 1) / batch;
  state_.reset(new State{dataset, samples, std::min(available, max_batches), Slot(batch, context)});
}

EvaluationReader::~EvaluationReader() = default;

int64_t EvaluationReader::batches() const { return state_->batches; }

const Batch& EvaluationReader::read(int64_t index) {
  State& s = *state_;
  ANNEAL_ASSERT(index >= 0 && index < s.batches);
  s.slot.fill(s.dataset, index, [&](int64_t row) {
    int64_t sample = index * s.slot.batch.rows + row;
    return sample < s.samples ? sample : int64_t{-1};
  });
  return s.slot.batch;
}

int64_t EvaluationReader::memory_bytes(int64_t context, int64_t batch) {
  return Slot::bytes(batch, context);
}

}  // namespace anneal
