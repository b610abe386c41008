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

struct Sums {
  double exp = 0;     // of exp(logits − largest)
  double logits = 0;  // if smooth
};

// In FP64 over blocks summed in FP32, so that the length of the row does not add to the error.
// `keep` takes each vector of exponentials.
template <bool smooth, class F>
[[gnu::always_inline]] inline Sums sums_of(const float* logits, int64_t n, float largest,
                                           F&& keep) {
  constexpr int64_t block = 2048;
  Sums sums;
  for (int64_t begin = 0; begin < n; begin += block) {
    int64_t length = n - begin < block ? n - begin : block;
    vf part{}, plain{};
    for_vectors(length, [&](int64_t i, auto lanes) {
      if constexpr (smooth) plain += load(logits + begin + i, lanes);
      vf e = exp(load(logits + begin + i, lanes, -__builtin_inff()) - largest);
      part += e;
      keep(begin + i, e, lanes);
    });
    sums.exp += static_cast<double>(hsum(part));
    if constexpr (smooth) sums.logits += static_cast<double>(hsum(plain));
  }
  return sums;
}

// The loss of a row from its sums, and what its gradient takes from them.
struct Row {
  RowLoss loss;
  double weight;  // of the softmax: the derivative of the loss by log-sum-exp
};

template <bool smooth>
[[gnu::always_inline]] inline Row row_of(const Largest& largest, const Sums& sums, int64_t n,
                                         float logit, const RowTarget& t) {
  double log_sum = ::log(sums.exp), top = static_cast<double>(largest.value);
  double x = static_cast<double>(logit), weight = 1;
  double loss = log_sum + (top - x);
  if constexpr (smooth) loss += t.label_smoothing * (x - sums.logits / static_cast<double>(n));
  if (t.z_loss > 0) {
    double lse = log_sum + top;
    loss += t.z_loss * lse * lse;
    weight += 2 * t.z_loss * lse;
  }
  return {{loss + static_cast<double>(largest.poison),
           largest.index == t.target && largest.poison == 0.0f},
          weight};
}

template <bool smooth>
[[gnu::always_inline]] inline RowLoss loss(const float* logits, int64_t n, const RowTarget& t) {
  Largest largest = find_largest(logits, n);
  Sums sums = sums_of<smooth>(logits, n, largest.value, [](int64_t, vf, auto) {});
  return row_of<smooth>(largest, sums, n, logits[t.target], t).loss;
}

template <bool smooth, class D>
[[gnu::always_inline]] inline RowLoss gradient(float* logits, int64_t n, const RowTarget& t,
                                               double scale, D* d) {
  Largest largest = find_largest(logits, n);
  float logit = logits[t.target];
  Sums sums = sums_of<smooth>(logits, n, largest.value,
                              [&](int64_t i, vf e, auto lanes) { store(logits + i, e, lanes); });
  Row row = row_of<smooth>(largest, sums, n, logit, t);
  double others = smooth ? t.label_smoothing / static_cast<double>(n) : 0;
  double of_target = row.weight * (static_cast<double>(logits[t.target]) / sums.exp);
  float factor = static_cast<float>(row.weight * scale / sums.exp);
  float offset = static_cast<float>(others * scale);
  for_vectors(n, [&](int64_t i, auto lanes) {
    vf v = load(logits + i, lanes) * factor;
    if constexpr (smooth) v -= offset;
    store(d + i, v, lanes);
  });
  double wanted = smooth ? 1.0 - t.label_smoothing + others : 1.0;
  store_scalar(d + t.target, static_cast<float>((of_target - wanted) * scale));
  return row.loss;
}

RowLoss loss_of(const float* logits, int64_t n, const RowTarget& t) {
  return t.label_smoothing > 0 ? loss<true>(logits, n, t) : loss<false>(logits, n, t);
}

template <class D>
[[gnu::always_inline]] inline RowLoss gradient_of(float* logits, int64_t n, const RowTarget& t,
                                                  double scale, D* d) {
  return t.label_smoothing > 0 ? gradient<true>(logits, n, t, scale, d)
                               : gradient<false>(logits, n, t, scale, d);
}

RowLoss gradient_f32(float* logits, int64_t n, const RowTarget& t, double scale) {
  return gradient_of(logits, n, t, scale, logits);
}

RowLoss gradient_bf16(float* logits, int64_t n, const RowTarget& t, double scale, bf16* d) {
  return gradient_of(logits, n, t, scale, d);
}

}  // namespace

const HeadLossKernels head_loss = {loss_of, gradient_f32, gradient_bf16};

}  // namespace anneal::ANNEAL_ISA
