#pragma once

#include <cstdint>

namespace anneal {

// Rows that a file keeps in another order. Queries, keys and values head by head (GPT-NeoX): its
// rows are [heads][3][rows of a head], ours [3][heads][rows of a head]. Or the second half before
// the first (Based's gate after what it gates). Neither: both have the same order.
struct HeadInterleaving {
  int64_t heads = 0;
  bool swapped_halves = false;
  bool operator==(const HeadInterleaving&) const = default;

  // Calls f(first element in the file, first element here, count) for each run of a tensor of this
  // many elements, in the order of the file.
  template <class F>
  void for_runs(int64_t elements, F&& f) const {
    if (swapped_halves) {
      f(int64_t{0}, elements / 2, elements / 2);
      return f(elements / 2, int64_t{0}, elements / 2);
    }
    if (heads == 0) return f(int64_t{0}, int64_t{0}, elements);
    int64_t run = elements / (3 * heads);
    for (int64_t head = 0; head < heads; ++head)
      for (int64_t part = 0; part < 3; ++part)
        f((head * 3 + part) * run, (part * heads + head) * run, run);
  }
};

}  // namespace anneal
