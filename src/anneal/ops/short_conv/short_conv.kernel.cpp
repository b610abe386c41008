#include "anneal/ops/short_conv/kernel.hpp"

#include "anneal/device/cpu/simd.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

constexpr int64_t block = 256;     // columns at a time, whose taps stay in the first cache
constexpr int64_t most_taps = 16;  // longest_short_conv

// The taps of columns [first, first + n) as [taps][block].
struct Taps {
  alignas(64) float at[most_taps][block];
  [[gnu::always_inline]] Taps(const float* filter, int64_t taps, int64_t first, int64_t n) {
    for (int64_t k = 0; k < taps; ++k)
      for (int64_t c = 0; c < n; ++c) at[k][c] = filter[(first + c) * taps + k];
  }
};

// Calls f(column, count) for the blocks of the convolved columns.
template <class F>
[[gnu::always_inline]] inline void for_blocks(int64_t channels, F&& f) {
  for (int64_t c = 0; c < channels; c += block) f(c, channels - c < block ? channels - c : block);
}

template <class From, class To>
[[gnu::always_inline]] inline void copy_others(const ShortConvSizes& s, const From* from, To* to,
                                               int64_t begin, int64_t end) {
  for (int64_t t = begin; t < end; ++t)
    for_vectors(s.columns - s.channels, [&](int64_t c, auto lanes) {
      int64_t at = t * s.columns + s.channels + c;
      store(to + at, load(from + at, lanes), lanes);
    });
}

// Calls f with typed pointers to both.
template <class F>
[[gnu::always_inline]] inline void visit_both(const ShortConvRows& a, const ShortConvRows& b,
                                              F&& f) {
  visit_stored(a.dtype, [&]<class A>(Tag<A>) {
    visit_stored(b.dtype,
                 [&]<class B>(Tag<B>) { f(static_cast<A*>(a.data), static_cast<B*>(b.data)); });
  });
}

void forward(const ShortConvSizes& s, const ShortConvRows& from, const float* filter,
             const float* history, const ShortConvRows& to, int64_t begin, int64_t end) {
  visit_both(from, to, [&](const auto* x, auto* y) {
    copy_others(s, x, y, begin, end);
    for_blocks(s.channels, [&](int64_t first, int64_t n) {
      Taps taps(filter, s.taps, first, n);
      for (int64_t t = begin; t < end; ++t) {
        // Taps before `inside` lie before the sequence.
        int64_t oldest = t - s.taps + 1, inside = oldest < 0 ? -oldest : 0;
        for_vectors(n, [&](int64_t c, auto lanes) {
          vf sum{};
          for (int64_t k = 0; history && k < inside; ++k)
            sum += load(history + (t + k) * s.channels + first + c, lanes) * load(taps.at[k] + c);
          for (int64_t k = inside; k < s.taps; ++k)
            sum += load(x + (oldest + k) * s.columns + first + c, lanes) * load(taps.at[k] + c);
          store(y + t * s.columns + first + c, sum, lanes);
        });
      }
    });
  });
}

void input_gradient(const ShortConvSizes& s, const ShortConvRows& from, const float* filter,
                    int64_t positions, const ShortConvRows& to, int64_t begin, int64_t end) {
  visit_both(from, to, [&](const auto* dy, auto* dx) {
    copy_others(s, dy, dx, begin, end);
    for_blocks(s.channels, [&](int64_t first, int64_t n) {
      Taps taps(filter, s.taps, first, n);
      for (int64_t t = begin; t < end; ++t) {
        int64_t newest = t + s.taps - 1;
        int64_t inside = newest >= positions ? newest - positions + 1 : 0;
        for_vectors(n, [&](int64_t c, auto lanes) {
          vf sum{};
          for (int64_t k = inside; k < s.taps; ++k)
            sum += load(dy + (newest - k) * s.columns + first + c, lanes) * load(taps.at[k] + c);
          store(dx + t * s.columns + first + c, sum, lanes);
        });
      }
    });
  });
}

void filter_gradient(const ShortConvSizes& s, const ShortConvRows& gradient,
                     const ShortConvRows& from, int64_t begin, int64_t end, float* sums) {
  for_vectors(s.taps * s.channels, [&](int64_t i, auto lanes) { store(sums + i, vf{}, lanes); });
  visit_both(gradient, from, [&](const auto* dy, const auto* x) {
    for_blocks(s.channels, [&](int64_t first, int64_t n) {
      for (int64_t t = begin; t < end; ++t) {
        int64_t oldest = t - s.taps + 1;
        for (int64_t k = oldest < 0 ? -oldest : 0; k < s.taps; ++k) {
          float* sum = sums + k * s.channels + first;
          for_vectors(n, [&](int64_t c, auto lanes) {
            vf product = load(dy + t * s.columns + first + c, lanes) *
                         load(x + (oldest + k) * s.columns + first + c, lanes);
            store(sum + c, load(sum + c, lanes) + product, lanes);
          });
        }
      }
    });
  });
}

void advance(const ShortConvSizes& s, const ShortConvRows& from, int64_t n, bool empty,
             float* history) {
  visit_stored(from.dtype, [&]<class X>(Tag<X>) {
    const X* x = static_cast<const X*>(from.data);
    for (int64_t i = 0; i < s.taps - 1; ++i) {
      int64_t row = n - (s.taps - 1) + i;  // of x; before it, of what came earlier
      for_vectors(s.channels, [&](int64_t c, auto lanes) {
        vf value{};
        if (row >= 0)
          value = load(x + row * s.columns + c, lanes);
        else if (!empty)
          value = load(history + (s.taps - 1 + row) * s.channels + c, lanes);
        store(history + i * s.channels + c, value, lanes);
      });
    }
  });
}

}  // namespace

const ShortConvKernels short_conv = {forward, input_gradient, filter_gradient, advance};

}  // namespace anneal::ANNEAL_ISA
