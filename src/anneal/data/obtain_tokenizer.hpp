#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "anneal/data/check.hpp"
#include "anneal/data/config.hpp"

namespace anneal {

struct PrepareProgress {
  std::string stage;  // "training the tokenizer" | "tokenising" | "copying shards"
  int64_t bytes_done = 0;
  int64_t bytes_total = 0;
};

// The N of "bpe:N", 0 for any other value of data.tokenizer. Throws UsageError when N is no number
// or out of range.
int64_t bpe_size(const std::string& tokenizer);

// Tokenizer::hash() as 16 hexadecimal digits: how shards name the tokenizer that made them.
std::string tokenizer_hash_text(const Tokenizer& tokenizer);

// The tokenizer that data.tokenizer names: "byte", "bpe:N" (trained on the training documents of
// `data` only, never on those held out), a tokenizer.json or a model directory. Throws UsageError
// naming data.tokenizer. The result does not depend on `threads` (0: all cores).
std::shared_ptr<const Tokenizer> obtain_tokenizer(
    const DataConfig& config, const DataSummary& data, int64_t seed, int threads = 0,
    const std::function<void(const PrepareProgress&)>& progress = {});

}  // namespace anneal
