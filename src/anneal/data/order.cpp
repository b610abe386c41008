#include "anneal/data/order.hpp"

#include <algorithm>
#include <bit>

#include "anneal/base/error.hpp"
#include "anneal/base/rng.hpp"

namespace anneal {
namespace {

constexpr int kRounds = 8;

uint64_t feistel(uint64_t seed, uint64_t epoch, int half, uint64_t x) {
  const uint64_t mask = (uint64_t{1} << half) - 1;
  uint64_t left = x >> half, right = x & mask;
  for (uint64_t round = 0; round < kRounds; ++round) {
    auto words = philox(seed, right, 256 * epoch + round);
    uint64_t mixed = words[0] | uint64_t{words[1]} << 32;
    uint64_t next = left ^ (mixed & mask);
    left = right;
    right = next;
  }
  return left << half | right;
}

}  // namespace

int64_t permuted_index(uint64_t seed, int64_t epoch, int64_t i, int64_t n) {
  ANNEAL_ASSERT(epoch >= 0 && i >= 0 && i < n && n <= int64_t{1} << 60);
  auto size = static_cast<uint64_t>(n);
  int half = std::max(1, (static_cast<int>(std::bit_width(size - 1)) + 1) / 2);
  auto x = static_cast<uint64_t>(i);
  do {
    x = feistel(seed, static_cast<uint64_t>(epoch), half, x);
  } while (x >= size);
  return static_cast<int64_t>(x);
}

int64_t sample_index(uint64_t seed, int64_t g, int64_t n, bool shuffle) {
  ANNEAL_ASSERT(g >= 0 && n > 0);
  return shuffle ? permuted_index(seed, g / n, g % n, n) : g % n;
}

bool is_validation_document(uint64_t seed, int64_t document, double fraction) {
  auto words = philox(seed, static_cast<uint64_t>(document), ~uint64_t{0});
  return uniform_double(words[0], words[1]) < fraction;
}

}  // namespace anneal
