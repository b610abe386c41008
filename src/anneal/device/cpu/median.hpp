#pragma once

#include <algorithm>
#include <vector>

#include "anneal/device/cpu/thread_trace.hpp"

namespace anneal {

// The middle one of at least one value.
inline double median(std::vector<double> values) {
  auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Seconds of f(): the median of 3 to 15 calls, until they took a fifth of a second, after one that
// is not counted.
template <class F>
double median_seconds(const F& f) {
  constexpr int least_runs = 3, most_runs = 15;
  constexpr double enough_seconds = 0.2;
  f();
  std::vector<double> seconds;
  double total = 0;
  for (int i = 0; i < most_runs && (i < least_runs || total < enough_seconds); ++i) {
    int64_t begin = now_ns();
    f();
    seconds.push_back(static_cast<double>(now_ns() - begin) * 1e-9);
    total += seconds.back();
  }
  return median(std::move(seconds));
}

}  // namespace anneal
