#pragma once

#include <cstdint>

namespace anneal {

// Dynamic loss scaling (Micikevicius et al., "Mixed Precision Training", arXiv:1710.03740): the
// gradient of the loss starts at `scale` instead of 1, so that small gradients stay within the
// range of fp16. Where one overflows, the step is tried again with half the scale; after
// `growth_interval` good steps in a row the scale doubles.
class LossScale {
 public:
  struct State {
    double scale = 65536;
    int64_t good_steps = 0;  // in a row, since the scale last changed
    bool operator==(const State&) const = default;
  };
  static constexpr int64_t most_skips = 20;  // in a row
  static constexpr double smallest = 1;
  static constexpr double largest = 0x1p64;  // beyond, FP32 gradient buffers are what overflows

  LossScale(double initial, int64_t growth_interval)
      : state_{.scale = initial}, growth_interval_(growth_interval) {}

  double value() const { return state_.scale; }
  const State& state() const { return state_; }
  void restore(const State& state) {
    state_ = state;
    skips_ = 0;
  }

  // A gradient overflowed. Whether to try again: not after most_skips in a row, nor where the scale
  // would go below `smallest`; it stays as it was then.
  bool overflowed();
  void succeeded();

 private:
  State state_;
  int64_t growth_interval_;
  int64_t skips_ = 0;
};

}  // namespace anneal
