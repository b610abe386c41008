#include <type_traits>

#include "anneal/device/cpu/simd.hpp"
#include "anneal/ops/norm/kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

// Sum over a row: sum = f(sum, i, lanes) adds a vector's worth of terms, for four sums in turn so
// that they do not wait for one another.
template <class F>
[[gnu::always_inline]] inline float row_sum(int64_t n, F&& f) {
  vf s0{}, s1{}, s2{}, s3{};
  int64_t i = 0;
  for (; i + 4 * width <= n; i += 4 * width) {
    s0 = f(s0, i, FullLanes{});
    s1 = f(s1, i + width, FullLanes{});
    s2 = f(s2, i + 2 * width, FullLanes{});
    s3 = f(s3, i + 3 * width, FullLanes{});
  }
  for_vectors(n - i, [&](int64_t j, auto lanes) { s0 = f(s0, i + j, lanes); });
  return hsum((s0 + s1) + (s2 + s3));
}

template <bool centred, class X, class Y>
void forward(const NormForward& a) {
  const int64_t n = a.n;
  const float inverse = 1.0f / static_cast<float>(n);
  for (int64_t row = 0; row < a.rows; ++row) {
    const X* x = static_cast<const X*>(a.x) + row * n;
    Y* y = static_cast<Y*>(a.y) + row * n;
    if constexpr (std::is_same_v<X, float>)
      if (a.addend) {
        const float* addend = a.addend + row * n;
        float* sum = a.sum + row * n;
        for_vectors(n, [&](int64_t i, auto lanes) {
          store(sum + i, load(x + i, lanes) + load(addend + i, lanes), lanes);
        });
        x = sum;
      }
    float mean = 0;
    if constexpr (centred) {
      mean = inverse *
             row_sum(n, [&](vf sum, int64_t i, auto lanes) { return sum + load(x + i, lanes); });
      a.mean[row] = mean;
    }
    // Two passes, since E[x²] − E[x]² cancels; the row is in the first-level cache by now.
    float square = inverse * row_sum(n, [&](vf sum, int64_t i, auto lanes) {
                     vf d = load(x + i, lanes, mean) - mean;
                     return sum + d * d;
                   });
    float rstd = 1.0f / __builtin_sqrtf(square + a.eps);
    a.rstd[row] = rstd;
    for_vectors(n, [&](int64_t i, auto lanes) {
      vf normal = (load(x + i, lanes) - mean) * rstd;
      vf gain = load(a.gain + i, lanes);
      store(y + i, centred ? normal * gain + load(a.bias + i, lanes) : normal * gain, lanes);
    });
  }
}

// `count` rows from `first` at once, so that the sums over rows are read and written once for all
// of them. With h = (x − mean)·rstd and g = dy·gain: dgain += dy·h, dbias += dy, and
//   dx = rstd·(g − mean(g) − h·mean(g·h)),  where rmsnorm lacks the mean(g).
template <int count, bool centred, class DY, class X>
[[gnu::always_inline]] inline void backward_rows(const NormBackward& a, int64_t first) {
  const int64_t n = a.n;
  const DY* dy = static_cast<const DY*>(a.dy) + first * n;
  const X* x = static_cast<const X*>(a.x) + first * n;
  float mean[count] = {}, rstd[count];
  for (int r = 0; r < count; ++r) {
    if constexpr (centred) mean[r] = a.mean[first + r];
    rstd[r] = a.rstd[first + r];
  }
  vf sum_g[count] = {}, sum_gh[count] = {};
  for_vectors(n, [&](int64_t i, auto lanes) {
    vf gain = load(a.gain + i, lanes), dgain = load(a.dgain + i, lanes), dbias{};
    if constexpr (centred) dbias = load(a.dbias + i, lanes);
    for (int r = 0; r < count; ++r) {
      vf d = load(dy + r * n + i, lanes);
      vf h = (load(x + r * n + i, lanes) - mean[r]) * rstd[r];
      vf g = d * gain;
      dgain += d * h;
      sum_gh[r] += g * h;
      if constexpr (centred) {
        dbias += d;
        sum_g[r] += g;
      }
    }
    store(a.dgain + i, dgain, lanes);
    if constexpr (centred) store(a.dbias + i, dbias, lanes);
  });
  const float inverse = 1.0f / static_cast<float>(n);
  for (int r = 0; r < count; ++r) {
    const float mean_gh = inverse * hsum(sum_gh[r]);
    const float mean_g = centred ? inverse * hsum(sum_g[r]) : 0.0f;
    float* dx = a.dx + (first + r) * n;
    auto write = [&](auto from) {
      for_vectors(n, [&](int64_t i, auto lanes) {
        vf g = load(dy + r * n + i, lanes) * load(a.gain + i, lanes);
        vf h = (load(x + r * n + i, lanes) - mean[r]) * rstd[r];
        vf d = (g - mean_g - h * mean_gh) * rstd[r];
        store(dx + i, from(d, i, lanes), lanes);
      });
    };
    if (const float* start = a.dx_from ? a.dx_from + (first + r) * n : nullptr)
      write([=](vf d, int64_t i, auto lanes) { return load(start + i, lanes) + d; });
    else
      write([](vf d, int64_t, auto) { return d; });
  }
}

template <bool centred, class DY, class X>
void backward(const NormBackward& a) {
  for_vectors(a.n, [&](int64_t i, auto lanes) {
    store(a.dgain + i, vf{}, lanes);
    if constexpr (centred) store(a.dbias + i, vf{}, lanes);
  });
  int64_t row = 0;
  for (; row + 4 <= a.rows; row += 4) backward_rows<4, centred, DY, X>(a, row);
  for (; row < a.rows; ++row) backward_rows<1, centred, DY, X>(a, row);
}

}  // namespace

const PerLow<NormKernels> norm = per_low([]<class L>(Tag<L>) {
  return NormKernels{
      {{forward<true, float, float>, forward<true, float, L>},
       {forward<true, L, float>, forward<true, L, L>}},
      {{forward<false, float, float>, forward<false, float, L>},
       {forward<false, L, float>, forward<false, L, L>}},
      {{backward<true, float, float>, backward<true, float, L>},
       {backward<true, L, float>, backward<true, L, L>}},
      {{backward<false, float, float>, backward<false, float, L>},
       {backward<false, L, float>, backward<false, L, L>}},
  };
});

}  // namespace anneal::ANNEAL_ISA
