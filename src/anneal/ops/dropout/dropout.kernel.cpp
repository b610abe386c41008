#include "anneal/device/cpu/simd.hpp"
#include "anneal/ops/dropout/kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

constexpr int counters = 64;  // Philox blocks at a time: loops over them vectorise

// Philox4x32-10 of base/rng.hpp for `counters` consecutive low counter words, as words[4·i + j].
[[gnu::always_inline]] inline void philox_block(uint64_t key, uint64_t first, uint64_t sample,
                                                uint32_t* words) {
  alignas(64) uint32_t c0[counters], c1[counters], c2[counters], c3[counters];
  for (int i = 0; i < counters; ++i) {
    uint64_t low = first + static_cast<uint64_t>(i);
    c0[i] = static_cast<uint32_t>(low);
    c1[i] = static_cast<uint32_t>(low >> 32);
    c2[i] = static_cast<uint32_t>(sample);
    c3[i] = static_cast<uint32_t>(sample >> 32);
  }
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < counters; ++i) {
      uint64_t p0 = uint64_t{0xD2511F53u} * c0[i], p1 = uint64_t{0xCD9E8D57u} * c2[i];
      c0[i] = static_cast<uint32_t>(p1 >> 32) ^ c1[i] ^ k0;
      c1[i] = static_cast<uint32_t>(p1);
      c2[i] = static_cast<uint32_t>(p0 >> 32) ^ c3[i] ^ k1;
      c3[i] = static_cast<uint32_t>(p0);
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int i = 0; i < counters; ++i) {
    words[4 * i] = c0[i];
    words[4 * i + 1] = c1[i];
    words[4 * i + 2] = c2[i];
    words[4 * i + 3] = c3[i];
  }
}

template <class In, class Out>
void drop(const In* x, Out* out, const DropoutRange& r) {
  alignas(64) uint32_t words[4 * counters];
  alignas(64) float kept[4 * counters];
  for (int64_t e = r.begin; e < r.end; e += 4 * counters) {
    philox_block(r.key, static_cast<uint64_t>(e / 4), r.sample, words);
    for (int i = 0; i < 4 * counters; ++i)
      kept[i] =
          static_cast<int32_t>(words[i] >> 8) >= static_cast<int32_t>(r.threshold) ? r.scale : 0.0f;
    int64_t n = r.end - e < 4 * counters ? r.end - e : 4 * counters;
    for_vectors(n, [&](int64_t i, auto lanes) {
      vf scale = load(kept + i, lanes);
      // A dropped element is zero even where x is not finite.
      vf y = select(scale == 0.0f, vf{}, load(x + e + i, lanes) * scale);
      store(out + e + i, y, lanes);
    });
  }
}

}  // namespace

const DropoutKernels dropout_kernels = {drop<float, float>, drop<bf16, bf16>, drop<bf16, float>};

}  // namespace anneal::ANNEAL_ISA
