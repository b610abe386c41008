#include "anneal/device/cpu/simd.hpp"
#include "anneal/ops/head_norm/kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

// Calls f(Count, head) for groups of four heads, then for what is left one by one: a group reads
// the gain once, and its sums do not wait for one another.
template <int n>
struct Count {
  static constexpr int value = n;
};
template <class F>
[[gnu::always_inline]] inline void for_groups(int64_t heads, F&& f) {
  int64_t h = 0;
  for (; h + 4 <= heads; h += 4) f(Count<4>{}, h);
  for (; h < heads; ++h) f(Count<1>{}, h);
}

template <class From, class To>
[[gnu::always_inline]] inline void copy(const From* from, To* to, int64_t n) {
  for_vectors(n, [&](int64_t i, auto lanes) { store(to + i, load(from + i, lanes), lanes); });
}

template <int count, class X, class Y>
[[gnu::always_inline]] inline void forward_heads(const X* x, const float* gain, float eps,
                                                 int64_t d, Y* y, float* rstd) {
  vf sum[count] = {};
  for_vectors(d, [&](int64_t i, auto lanes) {
    for (int h = 0; h < count; ++h) {
      vf value = load(x + h * d + i, lanes);
      sum[h] += value * value;
    }
  });
  const float inverse = 1.0f / static_cast<float>(d);
  for (int h = 0; h < count; ++h) rstd[h] = 1.0f / __builtin_sqrtf(inverse * hsum(sum[h]) + eps);
  for_vectors(d, [&](int64_t i, auto lanes) {
    vf g = load(gain + i, lanes);
    for (int h = 0; h < count; ++h)
      store(y + h * d + i, load(x + h * d + i, lanes) * rstd[h] * g, lanes);
  });
}

template <class X, class Y>
void forward(const HeadNormForward& a) {
  const int64_t count[2] = {a.heads, a.kv_heads};
  const X* x = static_cast<const X*>(a.x);
  Y* y = static_cast<Y*>(a.y);
  float* rstd = a.rstd;
  for (int64_t row = 0; row < a.rows; ++row) {
    for (int k = 0; k < 2; ++k) {
      for_groups(count[k], [&](auto group, int64_t h) {
        constexpr int n = decltype(group)::value;
        forward_heads<n>(x + h * a.d, a.gain[k], a.eps, a.d, y + h * a.d, rstd + h);
      });
      x += count[k] * a.d;
      y += count[k] * a.d;
      rstd += count[k];
    }
    copy(x, y, a.kv_heads * a.d);
    x += a.kv_heads * a.d;
    y += a.kv_heads * a.d;
  }
}

// With h = x·rstd and g = dy·gain: dgain += dy·h and dx = rstd·(g − h·mean(g·h)).
template <int count, class DY, class X, class DX>
[[gnu::always_inline]] inline void backward_heads(const DY* dy, const X* x, const float* gain,
                                                  const float* rstd, int64_t d, DX* dx,
                                                  float* dgain) {
  vf sum[count] = {};
  for_vectors(d, [&](int64_t i, auto lanes) {
    vf g = load(gain + i, lanes), total = load(dgain + i, lanes);
    for (int h = 0; h < count; ++h) {
      vf product = load(dy + h * d + i, lanes) * (load(x + h * d + i, lanes) * rstd[h]);
      total += product;
      sum[h] += product * g;
    }
    store(dgain + i, total, lanes);
  });
  const float inverse = 1.0f / static_cast<float>(d);
  float mean[count];
  for (int h = 0; h < count; ++h) mean[h] = inverse * hsum(sum[h]);
  for_vectors(d, [&](int64_t i, auto lanes) {
    vf g = load(gain + i, lanes);
    for (int h = 0; h < count; ++h) {
      vf normal = load(x + h * d + i, lanes) * rstd[h];
      store(dx + h * d + i, (load(dy + h * d + i, lanes) * g - normal * mean[h]) * rstd[h], lanes);
    }
  });
}

template <class DY, class X, class DX>
void backward(const HeadNormBackward& a) {
  const int64_t count[2] = {a.heads, a.kv_heads};
  for_vectors(2 * a.d, [&](int64_t i, auto lanes) { store(a.dgain + i, vf{}, lanes); });
  const DY* dy = static_cast<const DY*>(a.dy);
  const X* x = static_cast<const X*>(a.x);
  DX* dx = static_cast<DX*>(a.dx);
  const float* rstd = a.rstd;
  for (int64_t row = 0; row < a.rows; ++row) {
    for (int k = 0; k < 2; ++k) {
      for_groups(count[k], [&](auto group, int64_t h) {
        constexpr int n = decltype(group)::value;
        backward_heads<n>(dy + h * a.d, x + h * a.d, a.gain[k], rstd + h, a.d, dx + h * a.d,
                          a.dgain + k * a.d);
      });
      dy += count[k] * a.d;
      x += count[k] * a.d;
      dx += count[k] * a.d;
      rstd += count[k];
    }
    copy(dy, dx, a.kv_heads * a.d);
    dy += a.kv_heads * a.d;
    x += a.kv_heads * a.d;
    dx += a.kv_heads * a.d;
  }
}

}  // namespace

const PerLow<HeadNormKernels> head_norm = per_low([]<class L>(Tag<L>) {
  return HeadNormKernels{
      {{forward<float, float>, forward<float, L>}, {forward<L, float>, forward<L, L>}},
      {{{backward<float, float, float>, backward<float, float, L>},
        {backward<float, L, float>, backward<float, L, L>}},
       {{backward<L, float, float>, backward<L, float, L>},
        {backward<L, L, float>, backward<L, L, L>}}},
  };
});

}  // namespace anneal::ANNEAL_ISA
