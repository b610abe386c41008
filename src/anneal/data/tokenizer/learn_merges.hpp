#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "anneal/data/tokenizer/vocabulary.hpp"
#include "anneal/data/tokenizer/word_counts.hpp"

namespace anneal::bpe {

struct LearnedMerges {
  std::vector<std::string> tokens;  // the 256 bytes in GPT-2's order, then in the order of learning
  std::vector<Merge> merges;
};

// Learns merges until there are `wanted` tokens, or as many as the words give; BpeTrainer says by
// which rule. A pair that would spell one of the `forbidden` byte strings is never joined. The
// result does not depend on the order of the words.
LearnedMerges learn_merges(const WordCounts& words, size_t wanted,
                           std::span<const std::string> forbidden);

}  // namespace anneal::bpe
