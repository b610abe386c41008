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
  std::span<const uint8_t> supervised;  // as in EncodedPiece
  int64_t text_bytes = 0;               // that the tokens stand for
  int64_t file_bytes = 0;               // that were read for them
};

// The tokens of a piece; called by several threads at once.
struct EncodedPiece {
  std::vector<int32_t> tokens;
  std::vector<uint8_t> supervised{};  // as in TokenSample, or empty
  int64_t text_bytes = 0;
};
using EncodeFunction = std::function<EncodedPiece(const Piece&)>;

// Encodes the documents of text and JSONL files with `threads` threads (0: all cores) and calls
// `consume` on the calling thread with their pieces, in order. Memory is bounded by some pieces a
// thread; what is consumed, and which error is thrown when there are several, does not depend on
// the number of threads.
void tokenise(const std::vector<SourceFile>& files, const CutFunction& cut,
              const EncodeFunction& encode, int threads,
              const std::function<void(const TokenPiece&)>& consume, PieceLimits limits = {});

}  // namespace anneal
