#include "anneal/device/cpu/thread_trace.hpp"

#include <gtest/gtest.h>

#include "anneal/device/cpu/parallel.hpp"

namespace anneal {
namespace {

TEST(ThreadTrace, RecordsRegionsOfEveryThreadUnderTheirTag) {
  int before = thread_count();
  set_threads(2);
  ThreadTrace trace(2, 100, 10);
  parallel_for(8, [](int64_t) {});
  trace.start();
  EXPECT_EQ(ThreadTrace::active(), &trace);
  int64_t begin = now_ns();
  trace.set_tag(7);
  parallel_for(8, [](int64_t) {});
  trace.set_tag(9);
  parallel_for_dynamic(8, [](int64_t) {});
  trace.stop();
  int64_t end = now_ns();
  parallel_for(8, [](int64_t) {});
  EXPECT_EQ(ThreadTrace::active(), nullptr);
  for (int t = 0; t < 2; ++t) {
    auto regions = trace.regions(t);
    ASSERT_EQ(regions.size(), 2u) << "thread " << t;
    EXPECT_EQ(regions[0].tag, 7);
    EXPECT_EQ(regions[1].tag, 9);
    EXPECT_LE(begin, regions[0].begin);
    EXPECT_LE(regions[0].begin, regions[0].end);
    EXPECT_LE(regions[0].end, regions[1].begin);
    EXPECT_LE(regions[1].end, end);
  }
  EXPECT_EQ(trace.dropped(), 0);
  EXPECT_EQ(trace.most_regions(), 2);
  set_threads(before);
}

TEST(ThreadTrace, CountsWhatDoesNotFit) {
  ThreadTrace trace(1, 0, 2);
  for (int i = 0; i < 5; ++i) trace.add_node({i, i, i + 1});
  EXPECT_EQ(trace.nodes().size(), 2u);
  EXPECT_EQ(trace.dropped(), 3);
}

TEST(ThreadTrace, AnOlderOneDoesNotStopANewerOne) {
  ThreadTrace first(1, 1, 1), second(1, 1, 1);
  first.start();
  second.start();
  first.stop();
  EXPECT_EQ(ThreadTrace::active(), &second);
}

}  // namespace
}  // namespace anneal
