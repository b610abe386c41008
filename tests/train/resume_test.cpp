// A run that is killed and resumed computes what it would have computed anyway.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>

#include "train/running_program.hpp"
#include "train/tiny_run.hpp"

namespace anneal {
namespace {

// A new one every time, since each covers other moments; ANNEAL_TEST_SEED=N repeats one.
uint64_t drawn_seed() {
  if (const char* given = std::getenv("ANNEAL_TEST_SEED")) return std::strtoull(given, nullptr, 10);
  return std::random_device{}();
}

int64_t lines_in(const fs::path& file) {
  std::error_code missing;
  if (!fs::exists(file, missing)) return 0;
  std::string text = read_file(file);
  return std::count(text.begin(), text.end(), '\n');
}

struct Variant {
  const char* name;
  std::vector<std::string> assignments;
};

class Resume : public TinyRun, public testing::WithParamInterface<Variant> {
 protected:
  static constexpr int64_t steps = 40;

  std::vector<std::string> arguments(const std::string& name) const {
    return train_arguments(name, sets(GetParam().assignments));
  }

  void expect_same(const std::string& name, const std::string& reference) {
    EXPECT_EQ(weights_of(checkpoint_of(run(name), steps)),
              weights_of(checkpoint_of(run(reference), steps)));
    EXPECT_EQ(reproducible_lines(run(name)), reproducible_lines(run(reference)));
  }
};

TEST_P(Resume, AfterKillsGivesTheUninterruptedBits) {
  auto begin = std::chrono::steady_clock::now();
  auto reference = run_program(arguments("reference"));
  ASSERT_EQ(reference.code, 0) << reference.err;
  auto duration = std::chrono::steady_clock::now() - begin;
  int64_t all_lines = lines_in(run("reference") / "metrics.jsonl");
  // 40 steps, 5 evaluations.
  ASSERT_EQ(reproducible_lines(run("reference")).size(), 45u);

  uint64_t seed = drawn_seed();
  SCOPED_TRACE(str("ANNEAL_TEST_SEED=", seed));
  std::printf("ANNEAL_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);

  // Kills at drawn moments, half of them by the clock and half by the lines that metrics.jsonl has
  // got, over as many runs as it takes to hit enough of them before their end.
  constexpr int wanted = 8;
  int kills = 0, finished = 0;
  for (int round = 0; kills < wanted || finished == 0; ++round) {
    ASSERT_LT(round, 40) << "the program ends before it can be killed";
    std::string name = str("killed-", round);
    fs::path metrics = run(name) / "metrics.jsonl";
    int code = 128 + SIGKILL;
    for (int life = 0; code == 128 + SIGKILL; ++life) {
      RunningProgram program(arguments(name) + std::vector<std::string>{"--resume"});
      if (life < 4) {
        if (random() % 2 == 0) {
          auto end = std::chrono::steady_clock::now() +
                     duration * static_cast<int64_t>(random() % 1000) / 1000;
          program.wait_until([&] { return std::chrono::steady_clock::now() >= end; });
        } else {
          int64_t end = lines_in(metrics) + 1 + static_cast<int64_t>(random() % all_lines) / 2;
          program.wait_until([&] { return lines_in(metrics) >= end; });
        }
        program.send(SIGKILL);
      }
      code = program.wait();
      kills += code == 128 + SIGKILL;
      ASSERT_TRUE(code == 0 || code == 128 + SIGKILL) << code << program.err();
    }
    ++finished;
    expect_same(name, "reference");
    if (HasFailure()) FAIL() << name;
  }
}

TEST_P(Resume, AfterAStopSignalGivesTheUninterruptedBits) {
  ASSERT_EQ(run_program(arguments("reference")).code, 0);
  for (int signal : {SIGINT, SIGTERM}) {
    std::string name = str("stopped-by-", signal);
    fs::path metrics = run(name) / "metrics.jsonl";
    int code = -1;
    {
      // One line of start, six steps. A checkpoint is due after every fourth.
      RunningProgram program(arguments(name));
      program.wait_until([&] { return lines_in(metrics) >= 7; });
      program.send(signal);
      code = program.wait();
      ASSERT_TRUE(code == 4 || code == 0) << code << program.err();
    }
    auto end = metrics_of(run(name)).back();
    EXPECT_EQ(end["event"], "end");
    EXPECT_EQ(end["status"], code == 4 ? "interrupted" : "done");
    // The checkpoint is of exactly the steps that were done.
    int64_t done = events_of(run(name), "step").back()["step"];
    EXPECT_EQ(end["step"], done);
    auto newest = newest_valid_checkpoint(run(name) / "checkpoints");
    ASSERT_TRUE(newest);
    EXPECT_EQ(newest->step, done);

    auto resumed = run_program(arguments(name) + std::vector<std::string>{"--resume"});
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    expect_same(name, "reference");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, Resume,
    testing::Values(
        Variant{"gpt2", {}}, Variant{"gpt2_bf16", {"train.precision=bf16", "parallel.threads=2"}},
        // Overflows, halvings and doublings of the loss scale on both sides of the kills.
        Variant{"gpt2_fp16_muon",
                {"train.precision=fp16", "train.loss_scale=1073741824",
                 "train.loss_scale_interval=3", "optimizer.kind=muon", "schedule.kind=wsd",
                 "schedule.unit=tokens", "schedule.warmup_steps=640"}},
        Variant{"llama",
                {"model.family=llama", "optimizer.kind=lamb", "model.kv_heads=1",
                 "model.tie_embeddings=false", "data.tokenizer=bpe:300", "parallel.shards=1"}}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace anneal
