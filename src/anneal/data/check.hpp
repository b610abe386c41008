#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "anneal/data/config.hpp"
#include "anneal/data/sample_format.hpp"
#include "anneal/data/sources.hpp"

namespace anneal {

class Tokenizer;

// What the rest of the config asks of the data.
struct DataRequirements {
  int64_t context = 0;             // model.context; 0: no matter
  int64_t vocab_size = 0;          // model.vocab_size; 0: the tokenizer's
  int64_t seed = 1;                // train.seed, which also chooses the validation documents
  std::vector<int64_t> end_ids{};  // tokens that end a text for the model that is trained, if any
};

// What sizes and headers tell of the data of a run.
struct DataSummary {
  // Text (plain and JSONL), token shards with sidecars, or bare ones; never mixed.
  enum class Format : uint8_t { text, shards, bare_shards };
  Format format = Format::text;
  std::vector<SourceFile> train;
  std::vector<SourceFile> validation;  // when a list of files is given
  int64_t bytes = 0;                   // of `train`
  int64_t documents = -1;              // in `train`, before any are held out; -1: not known yet
  int64_t tokens = -1;                 // in `train`, before any are held out; -1: not known yet
  int64_t vocab_size = 0;              // of the tokenizer or the shards
  bool has_validation = false;
  // Null when it is yet to be trained (bpe:N) and for bare shards.
  std::shared_ptr<const Tokenizer> tokenizer;
  int64_t bpe_size = 0;                 // N of bpe:N, else 0
  std::optional<SampleFormat> samples;  // with data.packing = samples, of JSONL
};

// Checks everything about the data that needs no tokenisation, in milliseconds: that files exist
// and hold something, are not mixed, that sidecars are well-formed and agree with the tokenizer and
// model.vocab_size, that the first line of JSONL parses, that the data can hold one sequence of
// `context` tokens and a validation document. Throws UsageError, or FormatError with exit code 2,
// naming the key. Writes nothing.
DataSummary check_data(const DataConfig& config, const DataRequirements& requirements);

// Throws UsageError naming data.validation unless `fraction` of so many documents leaves some for
// validation and some for training.
void check_split(int64_t documents, uint64_t seed, double fraction);

}  // namespace anneal
