#pragma once

#include <cstdint>

#include <omp.h>

#include "anneal/device/cpu/thread_trace.hpp"

namespace anneal {

inline constexpr int64_t most_threads = 4096;

// Threads that kernels use from now on (0: all cores). Throws UsageError where that is not from 0
// to most_threads.
void set_threads(int64_t threads);
int thread_count();

// Runs f(i) for every i in [0, tasks). What a task computes must not depend on which thread runs
// it, and the number of tasks must follow from shapes, never from the number of threads.
template <class F>
void parallel_for(int64_t tasks, const F& f) {
  if (tasks <= 1) {
    ThreadTrace::Region region;
    if (tasks == 1) f(int64_t{0});
    return;
  }
#pragma omp parallel
  {
    ThreadTrace::Region region;
#pragma omp for schedule(static) nowait
    for (int64_t i = 0; i < tasks; ++i) f(i);
  }
}

// The same for tasks of unequal length: a thread takes the next one when it is free.
template <class F>
void parallel_for_dynamic(int64_t tasks, const F& f) {
#pragma omp parallel
  {
    ThreadTrace::Region region;
#pragma omp for schedule(dynamic, 1) nowait
    for (int64_t i = 0; i < tasks; ++i) f(i);
  }
}

// Runs f(begin, end) over [0, n) in ranges of `grain` elements.
template <class F>
void parallel_ranges(int64_t n, int64_t grain, const F& f) {
  int64_t tasks = (n + grain - 1) / grain;
  parallel_for(tasks, [&](int64_t i) {
    int64_t begin = i * grain;
    int64_t end = begin + grain < n ? begin + grain : n;
    f(begin, end);
  });
}

}  // namespace anneal
