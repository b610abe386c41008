#include "anneal/device/cpu/simd_test.hpp"

#include "anneal/device/cpu/math.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

template <vf (*f)(vf)>
void map(const float* x, float* y, int64_t n) {
  for_vectors(n, [=](int64_t i, auto lanes) { store(y + i, f(load(x + i, lanes)), lanes); });
}

template <vf (*f)(vf, vf)>
void zip(const float* a, const float* b, float* y, int64_t n) {
  for_vectors(n, [=](int64_t i, auto lanes) {
    store(y + i, f(load(a + i, lanes), load(b + i, lanes)), lanes);
  });
}

vf identity(vf x) { return x; }
vf less(vf a, vf b) { return select(a < b, broadcast(1.0f), vf{}); }

void stream_all(const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; i += width) stream(y + i, load(x + i));
  stream_fence();
}

void narrow_all(const float* x, bf16* y, int64_t n) {
  for_vectors(n, [=](int64_t i, auto lanes) { store(y + i, load(x + i, lanes), lanes); });
}

void widen_all(const bf16* x, float* y, int64_t n) {
  for_vectors(n, [=](int64_t i, auto lanes) { store(y + i, load(x + i, lanes), lanes); });
}

}  // namespace

extern const SimdProbe simd_probe = {
    .width = width,
    .exp = map<exp>,
    .log = map<log>,
    .tanh = map<tanh>,
    .sigmoid = map<sigmoid>,
    .sqrt = map<sqrt>,
    .abs = map<abs>,
    .copy = map<identity>,
    .stream = stream_all,
    .min = zip<min>,
    .max = zip<max>,
    .copysign = zip<copysign>,
    .less = zip<less>,
    .narrow = narrow_all,
    .widen = widen_all,
    .load_partial = [](const float* x, float fill, float* y, int n) { store(y, load(x, n, fill)); },
    .load_partial_bf16 = [](const bf16* x, float fill, float* y,
                            int n) { store(y, load(x, n, fill)); },
    .hsum = [](const float* x) { return hsum(load(x)); },
    .largest = [](const float* x) { return largest(load(x)); },
    .smallest = [](const float* x) { return smallest(load(x)); },
    .iota = [](int32_t* y) { store(y, iota()); },
};

}  // namespace anneal::ANNEAL_ISA
