#pragma once

#include <cstdint>
#include <string>

#include "anneal/data/loader.hpp"

namespace anneal {

class Tokenizer;

struct InspectOptions {
  int64_t rows = 4;           // rows to print; 0: all
  int64_t max_chars = 0;      // bytes of decoded text a row; 0: all
  bool color = false;         // for a terminal: what counts in the loss in green, the rest dim
  int64_t epoch_samples = 0;  // samples in an epoch, to say the epoch; 0: leave it out
};

// What a batch really contains, for people: shape, first sample, counts, and for each row the
// sample it came from, the document boundaries in it and its text, with control characters
// escaped. Where some targets do not count, or documents are isolated, the text shows it: ║ stands
// before a document, and what counts stands in ⟪ ⟫, or in colour. Without a tokenizer the token
// numbers stand instead of the text. Throws UsageError when a token is not in the tokenizer's
// vocabulary.
std::string describe_batch(const Batch& batch, const Tokenizer* tokenizer,
                           const InspectOptions& options = {});

}  // namespace anneal
