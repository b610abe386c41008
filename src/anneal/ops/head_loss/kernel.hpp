#pragma once

#include <cstdint>

#include "anneal/base/dtype.hpp"

namespace anneal {

// What a row is asked for; see head_loss.hpp.
struct RowTarget {
  int32_t target;
  double label_smoothing;
  double z_loss;
};

// One row of n logits. `loss` is NaN if any logit is not finite; `correct` whether the target is
// the arg-max (the lowest index at ties).
struct RowLoss {
  double loss;
  bool correct;
};

struct HeadLossKernels {
  RowLoss (*loss)(const float* logits, int64_t n, const RowTarget& target);
  // The same, and scale times the gradient: in place of the logits, or in d, the logits being lost.
  RowLoss (*gradient_f32)(float* logits, int64_t n, const RowTarget& target, double scale);
  RowLoss (*gradient_bf16)(float* logits, int64_t n, const RowTarget& target, double scale,
                           bf16* d);
};

namespace portable {
extern const HeadLossKernels head_loss;
}
namespace avx2 {
extern const HeadLossKernels head_loss;
}
namespace avx512 {
extern const HeadLossKernels head_loss;
}

}  // namespace anneal
