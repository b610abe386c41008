#include "anneal/device/cpu/simd.hpp"
#include "anneal/ops/rope/kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

using vd = double __attribute__((vector_size(8 * width)));

// The angle is reduced to [−π/4, π/4] in FP64; there the polynomials are those of Cephes (S. L.
// Moshier, sinf and cosf). Accurate to FP32 up to positions of about 2^24.
[[gnu::always_inline]] inline void turn(double position, const vd& frequency, vf& cosine,
                                        vf& sine) {
  vd angle = position * frequency;
  // Adding 1.5·2^52 rounds to the nearest integer; π/2 is taken in two parts.
  const double magic = 6755399441055744.0;
  vd quarters = (angle * 0.63661977236758134308 + magic) - magic;
  vd rest = (angle - quarters * 1.57079632679489655800) - quarters * 6.12323399573676603587e-17;
  vf r = __builtin_convertvector(rest, vf);
  // quarters mod 4: 4·floor(quarters/4) taken off before it is turned into an integer.
  vd fours = (quarters * 0.25 - 0.375 + magic) - magic;
  vi quadrant = __builtin_convertvector(quarters - fours * 4.0, vi);

  vf z = r * r;
  vf p = broadcast(-1.9515295891e-4f) * z + 8.3321608736e-3f;
  vf s = (p * z - 1.6666654611e-1f) * z * r + r;
  vf q = broadcast(2.443315711809948e-5f) * z - 1.388731625493765e-3f;
  vf c = (q * z + 4.166664568298827e-2f) * z * z - 0.5f * z + 1.0f;
  // Odd quadrants exchange the two; the sine is negative in 2 and 3, the cosine in 1 and 2.
  vi odd = -(quadrant & 1);
  cosine = as_float(as_int(select(odd, s, c)) ^ (((quadrant + 1) & 2) << 30));
  sine = as_float(as_int(select(odd, c, s)) ^ ((quadrant & 2) << 30));
}

void turns(double position, const double* frequency, int64_t half, float* cosine, float* sine) {
  for_vectors(half, [&](int64_t i, auto lanes) {
    vd f{};
    if constexpr (__is_same(decltype(lanes), FullLanes))
      __builtin_memcpy(&f, frequency + i, sizeof f);
    else
      for (int l = 0; l < lanes; ++l) f[l] = frequency[i + l];
    vf c, s;
    turn(position, f, c, s);
    store(cosine + i, c, lanes);
    store(sine + i, s, lanes);
  });
}

template <class In, class Out>
[[gnu::always_inline]] inline void copy(const In* from, Out* to, int64_t n) {
  for_vectors(n, [&](int64_t i, auto lanes) { store(to + i, load(from + i, lanes), lanes); });
}

template <class In, class Out>
void turn_row(const void* row, void* result, const float* cosine, const float* sine, int64_t heads,
              int64_t half, int64_t still, int64_t rest) {
  auto* from = static_cast<const In*>(row);
  auto* to = static_cast<Out*>(result);
  for (int64_t h = 0; h < heads; ++h) {
    for_vectors(half, [&](int64_t i, auto lanes) {
      vf c = load(cosine + i, lanes), s = load(sine + i, lanes);
      vf x = load(from + i, lanes), y = load(from + half + i, lanes);
      store(to + i, x * c - y * s, lanes);
      store(to + half + i, y * c + x * s, lanes);
    });
    from += 2 * half;
    to += 2 * half;
    copy(from, to, still);
    from += still;
    to += still;
  }
  copy(from, to, rest);
}

}  // namespace

const PerLow<RopeKernels> rope_kernels = per_low([]<class L>(Tag<L>) {
  return RopeKernels{
      turns, {{turn_row<float, float>, turn_row<float, L>}, {turn_row<L, float>, turn_row<L, L>}}};
});

}  // namespace anneal::ANNEAL_ISA
