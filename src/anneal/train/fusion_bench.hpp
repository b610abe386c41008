#pragma once

#include <functional>
#include <string>
#include <vector>

#include "anneal/device/cpu/rates.hpp"

namespace anneal {

// One way to compute something.
struct FusionWay {
  int64_t nodes = 0;        // passes over memory
  double bytes = 0;         // that the nodes read and write, counted from their shapes
  int64_t arena_bytes = 0;  // memory that it needs
  double seconds = 0;       // median
};

// The same values computed node by node and fused.
struct FusionMeasurement {
  std::string name;    // "Y = ReLU(X + W)"
  std::string shapes;  // of what it is measured on
  FusionWay separate, fused;
  // The largest difference between results, over the largest result; 0: all bits equal.
  double difference = 0;
};

// Throws UsageError naming --elements unless arrays of so many numbers can be measured.
void check_fusion_elements(int64_t elements);

// Chains of a training step, on arrays of about `elements` numbers, which should not fit the
// caches; separate and fused by turns. Sets the number of threads. Throws as the check above, as an
// arena does where memory does not suffice, and Error with the code of an interruption once a
// StopSignals has seen one.
std::vector<FusionMeasurement> measure_fusion(
    int64_t elements, int64_t threads, const std::function<void(const std::string&)>& log = {});

}  // namespace anneal
