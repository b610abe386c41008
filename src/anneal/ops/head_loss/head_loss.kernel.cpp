#include <math.h>

#include "anneal/device/cpu/math.hpp"
#include "anneal/device/cpu/simd.hpp"
#include "anneal/ops/head_loss/kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

struct Largest {
  float value;
  int32_t index;  // the lowest of those with this value
  float poison;   // 0, or NaN if any logit is not finite
};

[[gnu::always_inline]] inline Largest find_largest(const float* logits, int64_t n) {
  vf best = broadcast(-__builtin_inff()), poison{};
  vi best_at{}, index = iota();
  for_vectors(n, [&](int64_t i, auto lanes) {
    vf x = load(logits + i, lanes, -__builtin_inff());
    poison += load(logits + i, lanes) * 0.0f;
    vi better = x > best;  // not at ties, so that each lane keeps its first
    best = select(better, x, best);
    best_at = select(better, index, best_at);
    index += width;
  });
  Largest result{best[0], best_at[0], hsum(poison)};
  for (int k = 1; k < width; ++k)
    if (best[k] > result.value || (best[k] == result.value && best_at[k] < result.index))
      result = {best[k], best_at[k], result.poison};
  return result;
}

// Σ exp(logits − largest) in FP64 over blocks summed in FP32, so that the length of the row does
// not add to the error. `keep` takes each vector of exponentials.
template <class F>
[[gnu::always_inline]] inline double sum_exp(const float* logits, int64_t n, float largest,
                                             F&& keep) {
  constexpr int64_t block = 2048;
  double sum = 0;
  for (int64_t begin = 0; begin < n; begin += block) {
    int64_t length = n - begin < block ? n - begin : block;
    vf part{};
    for_vectors(length, [&](int64_t i, auto lanes) {
      vf e = exp(load(logits + begin + i, lanes, -__builtin_inff()) - largest);
      part += e;
      keep(begin + i, e, lanes);
    });
    sum += static_cast<double>(hsum(part));
  }
  return sum;
}

[[gnu::always_inline]] inline RowLoss row_loss(const Largest& largest, double sum, float logit,
                                               int32_t target) {
  double nll = ::log(sum) + (static_cast<double>(largest.value) - static_cast<double>(logit)) +
               static_cast<double>(largest.poison);
  return {nll, largest.index == target && largest.poison == 0.0f};
}

RowLoss loss(const float* logits, int64_t n, int32_t target) {
  Largest largest = find_largest(logits, n);
  double sum = sum_exp(logits, n, largest.value, [](int64_t, vf, auto) {});
  return row_loss(largest, sum, logits[target], target);
}

template <class D>
[[gnu::always_inline]] inline RowLoss gradient(float* logits, int64_t n, int32_t target,
                                               double scale, D* d) {
  Largest largest = find_largest(logits, n);
  float logit = logits[target];
  double sum = sum_exp(logits, n, largest.value,
                       [&](int64_t i, vf e, auto lanes) { store(logits + i, e, lanes); });
  double probability = static_cast<double>(logits[target]) / sum;
  float factor = static_cast<float>(scale / sum);
  for_vectors(
      n, [&](int64_t i, auto lanes) { store(d + i, load(logits + i, lanes) * factor, lanes); });
  store_scalar(d + target, static_cast<float>((probability - 1.0) * scale));
  return row_loss(largest, sum, logit, target);
}

RowLoss gradient_f32(float* logits, int64_t n, int32_t target, double scale) {
  return gradient(logits, n, target, scale, logits);
}

RowLoss gradient_bf16(float* logits, int64_t n, int32_t target, double scale, bf16* d) {
  return gradient(logits, n, target, scale, d);
}

}  // namespace

const HeadLossKernels head_loss = {loss, gradient_f32, gradient_bf16};

}  // namespace anneal::ANNEAL_ISA
