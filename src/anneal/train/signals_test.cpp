#include "anneal/train/signals.hpp"

#include <gtest/gtest.h>
#include <omp.h>
#include <unistd.h>

namespace anneal {
namespace {

bool blocks(int signal) {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return sigismember(&mask, signal) == 1;
}

TEST(StopSignals, NoThreadThatComputesTakesThem) {
  int before = omp_get_max_threads();
  omp_set_num_threads(4);
  std::atomic<int> threads{0};
#pragma omp parallel
  ++threads;  // the pool exists before
  {
    StopSignals signals;
    std::atomic<int> blocking{0};
#pragma omp parallel
    blocking += blocks(SIGINT) && blocks(SIGTERM);
    EXPECT_EQ(blocking, threads);
    EXPECT_FALSE(StopSignals::requested());
    kill(getpid(), SIGTERM);
    while (!StopSignals::requested()) std::this_thread::yield();
  }
  EXPECT_FALSE(blocks(SIGINT) || blocks(SIGTERM));
  omp_set_num_threads(before);
}

TEST(StopSignals, EachStartsAnew) {
  for (int i = 0; i < 3; ++i) {
    StopSignals signals;
    EXPECT_FALSE(StopSignals::requested());
    raise(SIGPIPE);  // ignored
    kill(getpid(), i % 2 ? SIGINT : SIGTERM);
    while (!StopSignals::requested()) std::this_thread::yield();
  }
}

TEST(StopSignalsDeathTest, TheSecondEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto two = [] {
    StopSignals signals;
    kill(getpid(), SIGTERM);
    while (!StopSignals::requested()) std::this_thread::yield();
    kill(getpid(), SIGTERM);
    while (true) pause();
  };
  EXPECT_EXIT(two(), ::testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace anneal
