#pragma once

#include <cstdint>

namespace anneal {

// Where sample i of an epoch of n samples is found: a permutation of [0, n) that is a pure function
// of (seed, epoch, i, n), in constant memory. docs/data-order.md states it with test vectors:
//
//   h    = max(1, ceil(bits(n - 1) / 2)), bits(m) being the number of binary digits of m
//   E(x) : L = x >> h, R = x mod 2^h; for r = 0 … 7: (L, R) = (R, L xor (F_r(R) mod 2^h));
//          E(x) = L * 2^h + R
//   F_r(R) = w0 + 2^32 * w1, w = Philox4x32-10(key = seed, counter = (R, 256 * epoch + r))
//   the result is the first of E(i), E(E(i)), … that is below n
//
// A balanced Feistel network over 2h bits, walked along its cycle until it falls into the domain
// (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002); 2^2h < 4n, so less
// than 4 evaluations are expected.
int64_t permuted_index(uint64_t seed, int64_t epoch, int64_t i, int64_t n);

// The sample of the data set that global sample g (step * batch + row, never wrapped) reads, for n
// samples: g mod n, through the permutation of epoch floor(g / n) when shuffled.
int64_t sample_index(uint64_t seed, int64_t g, int64_t n, bool shuffle);

// Whether a document is held out for validation: u < fraction, u being the 53-bit uniform number in
// [0, 1) of the first two words of Philox4x32-10(key = seed, counter = (document, 2^64 - 1)).
bool is_validation_document(uint64_t seed, int64_t document, double fraction);

}  // namespace anneal
