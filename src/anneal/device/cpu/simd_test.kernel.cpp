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

template <class From, class To>
void convert(const From* x, To* y, int64_t n) {
  for_vectors(n, [=](int64_t i, auto lanes) { store(y + i, load(x + i, lanes), lanes); });
}

template <class T>
void load_partial(const T* x, float fill, float* y, int n) {
  store(y, load(x, n, fill));
}

}  // namespace

extern const SimdProbe simd_probe = {
    .width = width,
    .exp = map<exp>,
    .log = map<log>,
    .tanh = map<tanh>,
    .sigmoid = map<sigmoid>,
    .normal_distribution = map<normal_distribution>,
    .sqrt = map<sqrt>,
    .abs = map<abs>,
    .copy = map<identity>,
    .stream = stream_all,
    .min = zip<min>,
    .max = zip<max>,
    .copysign = zip<copysign>,
    .less = zip<less>,
    .narrow_bf16 = convert,
    .narrow_f16 = convert,
    .widen_bf16 = convert,
    .widen_f16 = convert,
    .load_partial = load_partial,
    .load_partial_bf16 = load_partial,
    .load_partial_f16 = load_partial,
    .hsum = [](const float* x) { return hsum(load(x)); },
    .largest = [](const float* x) { return largest(load(x)); },
    .smallest = [](const float* x) { return smallest(load(x)); },
    .iota = [](int32_t* y) { store(y, iota()); },
};

}  // namespace anneal::ANNEAL_ISA
