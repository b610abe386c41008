#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace anneal {

// Puts whole samples into sequences of `context` tokens, several in one where they fit. A sample
// goes where it leaves the least room among the sequences that are open; when it fits nowhere and
// as many as allowed are open, the fullest of them is closed. What comes out depends on the samples
// and their order only; memory is bounded by the open sequences.
class SamplePacker {
 public:
  // One sequence, as long as the context: samples one after the other, then padding. Documents
  // start at `starts`, the padding at its end being the last of them.
  struct Sequence {
    std::vector<int32_t> tokens;
    std::vector<uint8_t> supervised;  // 1: counts as a target; 0 for the first token of a sample
    std::vector<int64_t> starts;
  };
  using Consumer = std::function<void(const Sequence&)>;

  static constexpr size_t most_open = 64;

  SamplePacker(int64_t context, int32_t padding, Consumer consume);

  // Returns false, and passes over the sample, when it is longer than a sequence.
  bool add(std::span<const int32_t> tokens, std::span<const uint8_t> supervised);
  // Closes all sequences, in the order in which they were opened.
  void finish();

 private:
  void close(size_t index);

  size_t context_;
  int32_t padding_;
  Consumer consume_;
  std::vector<Sequence> open_;
};

}  // namespace anneal
