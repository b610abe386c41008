// No code of ours allocates in a training step, on any thread.

#include <gtest/gtest.h>
#include <cstring>
#include <memory>

#include "anneal/base/log.hpp"
#include "anneal/cli/command.hpp"
#include "anneal/data/token_shard.hpp"
#include "anneal/device/cpu/dnnl_gemm.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "train/allocation_count.hpp"
#include "train/tiny_model.hpp"
#include "train/tiny_run.hpp"

namespace anneal {
namespace {

class Allocations : public testing::TestWithParam<ModelKind> {
 protected:
  void SetUp() override {
    if (!AllocationCount::available()) GTEST_SKIP() << "a sanitizer owns malloc";
    set_threads(2);
  }
};

TEST(AllocationCounter, SeesEveryWayToAllocateAndTellsThemApart) {
  if (!AllocationCount::available()) GTEST_SKIP() << "a sanitizer owns malloc";
  // Numbers first, expectations later: they allocate themselves.
  struct alignas(128) Wide {
    char bytes[128];
  };
  volatile size_t length = 100;
  std::vector<int64_t> seen;
  seen.reserve(16);
  AllocationCount count;
  auto note = [&] { seen.push_back(count.ours()); };
  delete new int(1);
  note();
  std::make_unique<Wide>();
  note();
  { std::string text(length, 'x'); }
  note();
  std::free(std::calloc(1, length));
  note();
  void* block = std::malloc(length);
  block = std::realloc(block, 2 * length);
  std::free(block);
  note();
  std::free(std::aligned_alloc(64, 128));
  note();
  if (posix_memalign(&block, 64, 128) == 0) std::free(block);
  note();
#pragma omp parallel num_threads(2)
  {
    void* volatile seen_by_all = std::malloc(length);
    std::free(seen_by_all);
  }
  note();
  EXPECT_EQ(seen, (std::vector<int64_t>{1, 2, 3, 4, 6, 7, 8, 10}));
  EXPECT_NE(count.report().find("program+0x"), std::string::npos);
}

// Without this a trace that is always taken for the library's would let everything pass.
TEST(AllocationCounter, KnowsTheLibrarysOwn) {
  if (!AllocationCount::available()) GTEST_SKIP() << "a sanitizer owns malloc";
  DnnlGemm product({.m = 64, .n = 64, .k = 64}, {64, 64, 64});
  std::vector<float> a(64 * 64), b(64 * 64), c(64 * 64);
  std::vector<std::byte> workspace(static_cast<size_t>(product.scratchpad_bytes()) + 64);
  cpu_matmul_prepare_threads();
  product.run(a.data(), b.data(), nullptr, c.data(), workspace.data());
  AllocationCount count;
  product.run(a.data(), b.data(), nullptr, c.data(), workspace.data());
  int64_t ours = count.ours(), of_libraries = count.of_libraries();
  EXPECT_EQ(ours, 0) << count.report();
  EXPECT_GT(of_libraries, 0);
}

TEST_P(Allocations, NoneOfOursInAStep) {
  for (int64_t shards : {1, 2}) {
    RunConfig config = tiny_config(GetParam().family, GetParam().precision);
    config.model.context = 64;
    config.model.width = 64;
    config.model.vocab_size = 512;
    config.parallel.shards = shards;
    CpuTarget target;
    Engine engine(config, {}, target);
    engine.session().initialise(3);
    DrawnBatch first(config, 0), second(config, 1);
    auto step = [&](const DrawnBatch& batch) {
      GradientResult result = engine.gradients(batch.get());
      engine.stepper().update(batch.get().step, 1e-3, result.grad_norm);
      return result.finite() && engine.stepper().first_nonfinite_state().empty();
    };
    ASSERT_TRUE(step(first));
    AllocationCount count;
    bool finite = step(second);
    int64_t ours = count.ours();
    EXPECT_EQ(ours, 0) << count.report();
    EXPECT_TRUE(finite);
  }
}

TEST_P(Allocations, NoneOfOursInAnyProgram) {
  RunConfig config = tiny_config(GetParam().family, GetParam().precision);
  config.model.context = 256;
  config.parallel.shards = 2;
  config.train.recompute = "block";
  CpuTarget target;
  Engine engine(config, {.generate = true}, target);
  engine.session().initialise(3);
  std::vector<std::string> names;
  for (const auto& [name, program] : engine.session().module().programs) names.push_back(name);
  EXPECT_GE(names.size(), 9u);
  for (const auto& name : names) {
    Executable& program = engine.session().program(name);
    const Program& plan = engine.session().module().programs.at(name);
    // Their places are used again while a program runs.
    auto clear_inputs = [&] {
      for (Value v : plan.inputs()) {
        const TensorRef& input = program.input(plan.info(v).name);
        std::memset(input.data, 0, static_cast<size_t>(input.type.bytes()));
      }
    };
    clear_inputs();
    program.run();
    clear_inputs();
    AllocationCount count;
    program.run();
    int64_t ours = count.ours();
    EXPECT_EQ(ours, 0) << name << "\n" << count.report();
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Allocations, testing::ValuesIn(model_kinds),
                         [](const auto& info) { return str(info.param); });

class AllocationsOfARun : public TinyRun {
 protected:
  // Allocations of ours in a whole run, in this process.
  int64_t count_run(const std::string& name, const std::vector<std::string>& assignments,
                    std::string* report) {
    std::vector<std::string> words = {"anneal"};
    for (auto& word : train_arguments(name, sets(assignments))) words.push_back(word);
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    AllocationCount count;
    ExitCode code = run_command_line(static_cast<int>(argv.size()), argv.data());
    int64_t ours = count.ours();
    *report = count.report();
    EXPECT_EQ(code, ExitCode::ok);
    return ours;
  }
};

// Loader, metrics, progress and all: a run of thirty steps more allocates nothing more.
TEST_F(AllocationsOfARun, DoNotDependOnTheNumberOfSteps) {
  if (!AllocationCount::available()) GTEST_SKIP() << "a sanitizer owns malloc";
  auto assignments = [](int64_t steps, int64_t eval_every) {
    return std::vector<std::string>{
        str("train.steps=", steps), str("train.eval_every=", eval_every),
        "train.sample_every=0",     "checkpoint.every=0",
        "parallel.threads=2",       "schedule.kind=constant"};
  };
  std::string report;
  count_run("warm-up", assignments(30, 0), &report);
  int64_t thirty = count_run("run-30", assignments(30, 0), &report);
  int64_t sixty = count_run("run-60", assignments(60, 0), &report);
  EXPECT_GT(thirty, 0);
  EXPECT_EQ(thirty, sixty);
  close_log_file();
}

}  // namespace
}  // namespace anneal
