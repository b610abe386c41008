// The number of threads decides nothing about the bits, and how a batch is cut nothing about the
// loss but its rounding.

#include <gtest/gtest.h>
#include <cmath>

#include "anneal/device/cpu/parallel.hpp"
#include "train/tiny_model.hpp"
#include "train/tiny_run.hpp"

namespace anneal {
namespace {

// Sets the number of threads for a scope.
class ThreadCount {
 public:
  explicit ThreadCount(int threads) { set_threads(threads); }
  ~ThreadCount() { set_threads(before_); }

 private:
  int before_ = thread_count();
};

// Large enough that kernels share their work: products in several tiles, norms and attention over
// many rows, gradients of several blocks of 65,536 elements.
RunConfig wide_config(const std::string& family, const std::string& precision) {
  RunConfig config = tiny_config(family, precision);
  config.model.width = 128;
  config.model.hidden = family == "gpt2" ? 512 : 344;
  config.model.context = 64;
  config.model.vocab_size = 1024;
  config.train.batch = 8;
  config.train.micro_batch = 4;
  return config;
}

struct Outcome {
  std::string state;  // hash of parameters and moments
  std::vector<double> numbers;
  bool operator==(const Outcome&) const = default;
};

Outcome train(const RunConfig& config, int threads, int64_t steps) {
  ThreadCount count(threads);
  CpuTarget target;
  Engine engine(config, {.generate = true}, target);
  engine.session().initialise(3);
  Outcome outcome;
  for (int64_t s = 0; s < steps; ++s) {
    DrawnBatch batch(config, s);
    GradientResult result = engine.gradients(batch.get());
    engine.stepper().update(s, 1e-3, result.grad_norm);
    outcome.numbers.insert(outcome.numbers.end(), {result.loss, result.correct, result.grad_norm});
  }
  outcome.state = state_hash(engine.session());
  Executable& evaluate = engine.session().program("evaluate");
  for (const char* name : {"tokens", "targets", "positions"})
    if (evaluate.has_input(name)) {
      auto values = evaluate.input(name).as<int32_t>();
      for (size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<int32_t>(i % static_cast<size_t>(config.model.context));
    }
  set_scalar(evaluate, "inv_valid", 1.0f);
  evaluate.run();
  outcome.numbers.push_back(scalar_output(evaluate, "loss"));
  return outcome;
}

class Threads : public testing::TestWithParam<ModelKind> {};

TEST_P(Threads, DoNotChangeABit) {
  for (int64_t shards : {1, 2}) {
    RunConfig config = wide_config(GetParam().family, GetParam().precision);
    config.parallel.shards = shards;
    Outcome one = train(config, 1, 3);
    for (double number : one.numbers) EXPECT_TRUE(std::isfinite(number));
    for (int threads : {2, 3, 4}) EXPECT_EQ(train(config, threads, 3), one) << threads;
  }
}

TEST_P(Threads, NorDoesHowOftenAProcessRunsIt) {
  RunConfig config = wide_config(GetParam().family, GetParam().precision);
  EXPECT_EQ(train(config, 2, 2), train(config, 2, 2));
}

INSTANTIATE_TEST_SUITE_P(Models, Threads, testing::ValuesIn(model_kinds),
                         [](const auto& info) { return str(info.param); });

// The same masks of dropout and the same mean over ragged targets, whatever the cut.
TEST(Cuts, OfABatchGiveTheSameLossesToRounding) {
  struct Cut {
    int64_t micro_batch, shards;
  };
  for (const char* family : {"gpt2", "llama"}) {
    std::vector<double> reference;
    for (Cut cut : {Cut{8, 1}, Cut{4, 1}, Cut{2, 1}, Cut{1, 1}, Cut{4, 2}, Cut{2, 2}, Cut{1, 2},
                    Cut{2, 4}, Cut{1, 4}, Cut{1, 8}}) {
      RunConfig config = tiny_config(family);
      config.train.micro_batch = cut.micro_batch;
      config.parallel.shards = cut.shards;
      CpuTarget target;
      Engine engine(config, {.evaluate = false}, target);
      engine.session().initialise(3);
      std::vector<double> numbers;
      for (int64_t s = 0; s < 5; ++s) {
        DrawnBatch batch(config, s);
        GradientResult result = engine.gradients(batch.get());
        engine.stepper().update(s, 1e-3, result.grad_norm);
        numbers.insert(numbers.end(), {result.loss, result.grad_norm});
      }
      if (reference.empty()) reference = numbers;
      for (size_t i = 0; i < numbers.size(); ++i)
        EXPECT_NEAR(numbers[i], reference[i], 2e-5 * reference[i])
            << family << " " << cut.micro_batch << " sequences, " << cut.shards << " shards, " << i;
      EXPECT_NEAR(numbers[0], reference[0], 1e-6 * reference[0]);
    }
  }
}

using ThreadsOfTheProgram = TinyRun;

TEST_F(ThreadsOfTheProgram, WriteTheSameModel) {
  auto assignments = sets({"model.width=128", "model.hidden=512", "model.context=32",
                           "data.tokenizer=bpe:310", "train.precision=bf16", "train.steps=6",
                           "train.micro_batch=4", "train.eval_every=3", "train.sample_every=3"});
  std::vector<std::string> lines;
  std::string weights;
  for (int threads : {1, 2, 3, 4}) {
    std::string name = str("threads-", threads);
    auto result = train(name, assignments + sets({str("parallel.threads=", threads)}));
    ASSERT_EQ(result.code, 0) << result.err;
    ASSERT_EQ(events_of(run(name), "start")[0]["threads"], threads);
    if (threads == 1) {
      lines = reproducible_lines(run(name));
      weights = weights_of(checkpoint_of(run(name), 6));
    }
    EXPECT_EQ(reproducible_lines(run(name)), lines) << threads;
    EXPECT_EQ(weights_of(checkpoint_of(run(name), 6)), weights) << threads;
  }
}

}  // namespace
}  // namespace anneal
