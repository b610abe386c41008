#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "anneal/device/cpu/parallel.hpp"

namespace anneal {

// Tasks that each need some floats of scratch: on the thread's own stack where they fit, otherwise
// in the workspace, in one of a number of slots that depends on the tasks only.
class TaskScratch {
 public:
  TaskScratch() = default;
  TaskScratch(int64_t tasks, int64_t floats) : tasks_(tasks), floats_((floats + 15) / 16 * 16) {}

  static constexpr int64_t stack_floats = 40 * 1024;

  int64_t workspace_bytes() const { return on_stack() ? 0 : slots() * floats_ * 4; }

  // Calls f(task, scratch) for every task; the scratch is aligned to 64 bytes if the workspace is.
  template <class F>
  void run(std::byte* workspace, const F& f) const {
    if (on_stack()) {
      parallel_for_dynamic(tasks_, [&](int64_t task) {
        alignas(64) float scratch[stack_floats];
        f(task, scratch);
      });
    } else {
      parallel_for_dynamic(slots(), [&](int64_t slot) {
        float* scratch = reinterpret_cast<float*>(workspace) + slot * floats_;
        for (int64_t task = slot; task < tasks_; task += slots()) f(task, scratch);
      });
    }
  }

 private:
  bool on_stack() const { return floats_ <= stack_floats; }
  int64_t slots() const { return std::min<int64_t>(tasks_, 64); }

  int64_t tasks_ = 0;
  int64_t floats_ = 0;
};

}  // namespace anneal
