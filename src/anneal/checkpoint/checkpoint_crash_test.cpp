#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <atomic>
#include <csignal>
#include <functional>
#include <new>
#include <random>

#include "anneal/checkpoint/checkpoint_writer.hpp"
#include "anneal/checkpoint/resume.hpp"
#include "anneal/checkpoint/testing/io_faults.hpp"
#include "anneal/checkpoint/testing/sample_content.hpp"

namespace anneal {
namespace {

namespace fs = std::filesystem;

// Two numbers that a child shares with its parent: which of its saves wait() acknowledged last, and
// which it began last. The content of save k is SampleContent(step_of(k), k).
struct Progress {
  std::atomic<int64_t> acknowledged{-1};
  std::atomic<int64_t> begun{-1};
};

class Crash : public testing::Test {
 protected:
  void SetUp() override {
    void* memory = ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    progress_ = new (memory) Progress;
  }
  void TearDown() override { ::munmap(progress_, sizeof(Progress)); }

  // Saves save 0, 1, 2, … `count` of them, until it is killed.
  void save_many(int64_t count, int64_t keep, const std::function<int64_t(int64_t)>& step_of) {
    CheckpointWriter writer(dir_, keep);
    for (int64_t k = progress_->acknowledged + 1; k < count; ++k) {
      progress_->begun = k;
      writer.save(SampleContent(step_of(k), k).content);
      writer.wait();
      progress_->acknowledged = k;
    }
  }

  static void sleep_ns(int64_t ns) {
    timespec time{ns / 1'000'000'000, ns % 1'000'000'000};
    ::nanosleep(&time, nullptr);
  }

  // Until the child has done this many saves more, however slow the machine is.
  void wait_for_saves(int64_t count) {
    int64_t target = progress_->acknowledged + count;
    for (int polls = 0; progress_->acknowledged < target && polls < 60'000; ++polls)
      sleep_ns(1'000'000);
  }

  // Runs `body` in a child, which is killed when `until_kill` returns, if there is one. Returns
  // whether the child came to its own end.
  bool run_child(const std::function<void()>& body, const std::function<void()>& until_kill = {}) {
    pid_t child = ::fork();
    if (child == 0) {
      int status = 1;
      try {
        body();
        status = 0;
      } catch (const std::exception& e) {
        std::fprintf(stderr, "child: %s\n", e.what());
      }
      ::_exit(status);
    }
    EXPECT_GT(child, 0);
    if (until_kill) {
      until_kill();
      ::kill(child, SIGKILL);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << status;
    return WIFEXITED(status);
  }

  // The newest valid checkpoint is the acknowledged save or the one that was under way.
  void check_survivor(const std::function<int64_t(int64_t)>& step_of) {
    int64_t acknowledged = progress_->acknowledged, begun = progress_->begun;
    auto newest = newest_valid_checkpoint(dir_);
    if (!newest) {
      EXPECT_LT(acknowledged, 0);
      return;
    }
    std::string differences;
    for (int64_t k : {acknowledged, begun}) {
      if (k < 0 || step_of(k) != newest->step) continue;
      auto difference = difference_from_sample(newest->dir, step_of(k), k);
      if (difference.empty()) return;
      differences += str("\n save ", k, ": ", difference);
    }
    ADD_FAILURE() << "acknowledged " << acknowledged << ", begun " << begun << ", newest "
                  << newest->dir << differences;
  }

  TemporaryDirectory temporary_;
  fs::path dir_ = temporary_.path() / "checkpoints";
  Progress* progress_ = nullptr;
};

// One death at each call of four saves, of which the third replaces the second.
void die_everywhere(IoFaults faults, const std::function<void(const IoFaults&, bool*)>& attempt) {
  faults.skip_sync = true;  // a killed process loses nothing that it wrote
  int64_t calls = 0;
  for (bool finished = false; !finished; ++calls) {
    ASSERT_LT(calls, 2000);
    faults.at = calls + 1;
    attempt(faults, &finished);
    if (testing::Test::HasFailure()) FAIL() << "died at call " << calls + 1;
  }
  EXPECT_GT(calls, 100);
}

TEST_F(Crash, AtEverySystemCall) {
  auto step_of = [](int64_t k) { return k < 2 ? k : k - 1; };
  for (bool no_exchange : {false, true})
    for (auto action : {IoFaults::Action::die, IoFaults::Action::write_half}) {
      IoFaults faults;
      faults.action = action;
      faults.no_exchange = no_exchange;
      die_everywhere(faults, [&](const IoFaults& f, bool* finished) {
        fs::remove_all(dir_);
        progress_->acknowledged = progress_->begun = -1;
        *finished = run_child([&] {
          arm(f);
          save_many(4, 1, step_of);
        });
        check_survivor(step_of);
        // The next run clears up and goes on.
        run_child([&] { save_many(5, 1, step_of); });
        EXPECT_EQ(names_in(dir_), "step-00000003");
        check_survivor(step_of);
      });
    }
}

TEST_F(Crash, AtRandomMoments) {
  auto step_of = [](int64_t k) { return k - k / 7; };  // now and then the same step again
  std::mt19937_64 random(1);
  int64_t killed = 0;
  for (int round = 0; round < 60; ++round) {
    bool finished = run_child(
        [&] {
          IoFaults faults;
          faults.skip_sync = round % 4 != 0;
          arm(faults);
          save_many(1'000'000, 2, step_of);
        },
        [&] {
          wait_for_saves(round % 2);
          sleep_ns(static_cast<int64_t>(random() % 20'000'000));
        });
    killed += !finished;
    check_survivor(step_of);
    if (HasFailure()) FAIL() << "round " << round;
    // The next round resumes from what is there, as a run does.
    auto newest = newest_valid_checkpoint(dir_);
    progress_->acknowledged =
        newest && progress_->begun >= 0 && step_of(progress_->begun) == newest->step &&
                difference_from_sample(newest->dir, newest->step, progress_->begun).empty()
            ? progress_->begun.load()
            : progress_->acknowledged.load();
  }
  EXPECT_EQ(killed, 60);
  EXPECT_GT(progress_->acknowledged, 10);
}

}  // namespace
}  // namespace anneal
