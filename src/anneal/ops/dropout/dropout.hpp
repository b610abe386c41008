#pragma once

#include "anneal/ir/builder.hpp"

namespace anneal {

struct DropoutAttrs {
  double p = 0;      // probability that an element becomes zero, in [0, 1)
  uint64_t key = 0;  // names the random stream
  bool operator==(const DropoutAttrs&) const = default;
  void print(std::ostream& out) const { out << "p=" << p << " key=" << key; }
};

// y = x·mask/(1 − p). The mask is a pure function of the key, the sample and the place in it, so
// that it is the same for any micro-batch, rank, thread and when computed again: element e of
// sample s = first_sample + b is kept iff uniform_float(word e%4 of philox(key, e/4, s)) >= p.
// Inputs: x [B,...], B samples; first_sample, an i64 scalar. Output: x's type. In place if wanted.
const OpDef& dropout_op();
// x itself where p is 0.
Value dropout(Builder& b, Value x, Value first_sample, double p, uint64_t key);

}  // namespace anneal
