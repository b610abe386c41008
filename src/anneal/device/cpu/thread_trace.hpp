#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include <omp.h>

namespace anneal {

// Nanoseconds of a clock that never goes back.
int64_t now_ns();

// Where the threads of parallel regions spend their time, recorded into memory that is set aside
// before. Off, it costs one load for a region and a thread; on, two readings of the clock.
class ThreadTrace {
 public:
  // `tag` is whatever set_tag() said when the region began: the node that runs.
  struct Span {
    int64_t tag = 0;
    int64_t begin = 0, end = 0;  // ns
  };

  // Room for `regions` regions of each of `threads` threads, and for `nodes` nodes. What does not
  // fit is counted and dropped.
  ThreadTrace(int threads, int64_t regions, int64_t nodes);
  ~ThreadTrace() { stop(); }
  ThreadTrace(const ThreadTrace&) = delete;
  ThreadTrace& operator=(const ThreadTrace&) = delete;

  // Between start() and stop() this is the one that records. Both are called between regions.
  void start() { active_.store(this, std::memory_order_release); }
  void stop() {
    ThreadTrace* self = this;
    active_.compare_exchange_strong(self, nullptr);
  }
  static ThreadTrace* active() { return active_.load(std::memory_order_acquire); }

  // For the thread that starts the regions.
  void set_tag(int64_t tag) { tag_.store(tag, std::memory_order_relaxed); }
  void add_node(const Span& node) { add(nodes_, node); }

  int threads() const { return static_cast<int>(lanes_.size()); }
  // In the order in which they ended.
  std::span<const Span> regions(int thread) const {
    return recorded(lanes_[static_cast<size_t>(thread)]);
  }
  std::span<const Span> nodes() const { return recorded(nodes_); }
  int64_t dropped() const;
  // Of the thread that had most, dropped ones included.
  int64_t most_regions() const;

  // Records the life of the object as a part of a region on the calling thread.
  class Region {
   public:
    Region() : trace_(active()) {
      if (trace_) begin_ = now_ns();
    }
    ~Region() {
      if (trace_) trace_->add_region(begin_);
    }
    Region(const Region&) = delete;
    Region& operator=(const Region&) = delete;

   private:
    ThreadTrace* trace_;
    int64_t begin_ = 0;
  };

 private:
  // A cache line of its own for each writer's counter.
  struct alignas(64) Lane {
    std::vector<Span> spans{};
    int64_t used = 0;
    int64_t dropped = 0;
  };
  static void add(Lane& lane, const Span& span) {
    if (lane.used < static_cast<int64_t>(lane.spans.size()))
      lane.spans[static_cast<size_t>(lane.used++)] = span;
    else
      ++lane.dropped;
  }
  static std::span<const Span> recorded(const Lane& lane) {
    return {lane.spans.data(), static_cast<size_t>(lane.used)};
  }
  void add_region(int64_t begin) {
    auto thread = static_cast<size_t>(omp_get_thread_num());
    if (thread < lanes_.size())
      add(lanes_[thread], {tag_.load(std::memory_order_relaxed), begin, now_ns()});
  }

  static inline std::atomic<ThreadTrace*> active_{nullptr};
  std::atomic<int64_t> tag_{0};
  std::vector<Lane> lanes_;
  Lane nodes_;
};

}  // namespace anneal
