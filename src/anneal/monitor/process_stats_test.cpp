#include "anneal/monitor/process_stats.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <cstring>
#include <ctime>

namespace anneal {
namespace {

TEST(ProcessSampler, FollowsAnonymousMemoryAndKeepsItsPeak) {
  constexpr size_t size = size_t{64} << 20;
  ProcessSampler sampler;
  ProcessStats before = sampler.sample();
  EXPECT_GT(before.anon_bytes, 0);
  EXPECT_GE(before.rss_bytes, before.anon_bytes);
  EXPECT_GE(before.peak_rss_bytes, before.rss_bytes);

  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::memset(memory, 1, size);
  ProcessStats during = sampler.sample();
  munmap(memory, size);
  ProcessStats after = sampler.sample();

  constexpr int64_t slack = 16 << 20;  // an address sanitizer adds an eighth
  EXPECT_NEAR(static_cast<double>(during.anon_bytes - before.anon_bytes), size, slack);
  EXPECT_LT(after.anon_bytes, during.anon_bytes - static_cast<int64_t>(size) + slack);
  EXPECT_EQ(after.peak_anon_bytes, during.anon_bytes);
  EXPECT_GE(after.peak_rss_bytes, during.rss_bytes);
}

TEST(ProcessSampler, CountsProcessorTimeSinceTheLastCall) {
  ProcessSampler sampler;
  const clock_t end = std::clock() + CLOCKS_PER_SEC / 20;
  while (std::clock() < end) {
  }
  EXPECT_GT(sampler.sample().cpu_percent, 0);
  timespec pause{0, 50'000'000};
  nanosleep(&pause, nullptr);
  // Asleep for most of the time: well below one core, however busy the machine is.
  EXPECT_LT(sampler.sample().cpu_percent, 90);
}

TEST(ProcessSampler, ReadBytesNeverFall) {
  ProcessSampler sampler;
  int64_t first = sampler.sample().read_bytes;
  EXPECT_GE(first, 0);
  EXPECT_GE(sampler.sample().read_bytes, first);
}

}  // namespace
}  // namespace anneal
