#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "anneal/data/check.hpp"
#include "anneal/data/config.hpp"
#include "anneal/data/dataset.hpp"
#include "anneal/data/obtain_tokenizer.hpp"

namespace anneal {

struct PrepareOptions {
  std::filesystem::path directory;  // where shards and tokenizer are kept; created when needed
  int threads = 0;                  // 0: all cores
  DataRequirements requirements;
  // Called on the calling thread now and then; may throw to stop.
  std::function<void(const PrepareProgress&)> progress;
};

// The data of a run, ready to be read.
struct PreparedData {
  std::shared_ptr<const Tokenizer> tokenizer;  // null for bare shards
  TokenDataset train;
  TokenDataset validation;  // no tokens when there is none
  bool from_cache = false;  // nothing had to be tokenised

  bool has_validation() const { return validation.tokens() > 0; }
};

// Turns the text of `config` into token shards in `options.directory` (train.bin, validation.bin
// with their sidecars, tokenizer.json), or takes those there when they were made from the same
// inputs: paths, sizes and modification times of the files, tokenizer, seed and fraction. Shards
// that are stale, torn or damaged are made anew. Token shards given as data are used where they
// lie, and copied into the directory only when a fraction of their documents is held out.
//
// Every document is followed by the end-of-text token, if the tokenizer has one. The output is the
// same for any number of threads; memory is bounded by some megabytes a thread. Processes that
// prepare the same directory take turns. Throws as check_data does (which it calls first), and
// UsageError naming model.context or data.validation when too few tokens come out.
PreparedData prepare_data(const DataConfig& config, const PrepareOptions& options);

}  // namespace anneal
