#include "anneal/train/loss_scale.hpp"

#include <algorithm>

namespace anneal {

bool LossScale::overflowed() {
  if (++skips_ >= most_skips || state_.scale / 2 < smallest) return false;
  state_ = {.scale = state_.scale / 2, .good_steps = 0};
  return true;
}

void LossScale::succeeded() {
  skips_ = 0;
  if (++state_.good_steps < growth_interval_) return;
  state_ = {.scale = std::min(largest, 2 * state_.scale), .good_steps = 0};
}

}  // namespace anneal
