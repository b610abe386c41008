#pragma once

#include <cstdint>

#include "anneal/base/dtype.hpp"

namespace anneal {

// One row of n logits. `nll` is −log softmax(logits)[target], NaN if any logit is not finite;
// `correct` whether the target is the arg-max (the lowest index at ties).
struct RowLoss {
  double nll;
  bool correct;
};

struct HeadLossKernels {
  RowLoss (*loss)(const float* logits, int64_t n, int32_t target);
  // The same, and the gradient scale·(softmax(logits) − onehot(target)): in place of the logits,
  // or in d, the logits being lost.
  RowLoss (*gradient_f32)(float* logits, int64_t n, int32_t target, double scale);
  RowLoss (*gradient_bf16)(float* logits, int64_t n, int32_t target, double scale, bf16* d);
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
