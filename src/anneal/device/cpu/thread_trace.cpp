#include "anneal/device/cpu/thread_trace.hpp"

#include <algorithm>
#include <chrono>

namespace anneal {

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

ThreadTrace::ThreadTrace(int threads, int64_t regions, int64_t nodes)
    : lanes_(static_cast<size_t>(threads)) {
  for (Lane& lane : lanes_) lane.spans.resize(static_cast<size_t>(regions));
  nodes_.spans.resize(static_cast<size_t>(nodes));
}

int64_t ThreadTrace::most_regions() const {
  int64_t most = 0;
  for (const Lane& lane : lanes_) most = std::max(most, lane.used + lane.dropped);
  return most;
}

int64_t ThreadTrace::dropped() const {
  int64_t sum = nodes_.dropped;
  for (const Lane& lane : lanes_) sum += lane.dropped;
  return sum;
}

}  // namespace anneal
