#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "anneal/data/documents.hpp"

namespace anneal {

// The tokens of one piece of a document.
struct TokenPiece {
  int64_t document = 0;
  bool last = false;  // of its document
  std::span<const int32_t> tokens;
  int64_t text_bytes = 0;  // that the tokens stand for
  int64_t file_bytes = 0;  // that were read for them
};

// The tokens of a text; called by several threads at once.
using EncodeFunction = std::function<std::vector<int32_t>(std::string_view)>;

// Encodes the documents of text and JSONL files with `threads` threads (0: all cores) and calls
// `consume` on the calling thread with their pieces, in order. Memory is bounded by some pieces a
// thread; what is consumed, and which error is thrown when there are several, does not depend on
// the number of threads.
void tokenise(const std::vector<SourceFile>& files, const CutFunction& cut,
              const EncodeFunction& encode, int threads,
              const std::function<void(const TokenPiece&)>& consume, PieceLimits limits = {});

}  // namespace anneal
