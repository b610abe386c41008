#pragma once

#include <cstdint>

namespace anneal {

// Llama 3's scaling of rotary positions for contexts beyond that of pretraining: pairs that turn at
// most `low` times over `original_context` tokens turn `factor` times more slowly, those that turn
// at least `high` times as before, those in between by a mixture.
struct RopeScaling {
  double factor = 1;  // 1: off
  double low = 1;
  double high = 4;
  int64_t original_context = 8192;
  bool operator==(const RopeScaling&) const = default;
};

}  // namespace anneal
