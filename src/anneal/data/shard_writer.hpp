#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "anneal/data/token_shard.hpp"

namespace anneal {

// Writes NAME.bin, NAME.json and, with marked tokens, NAME.mask piece by piece in constant memory.
// They appear under their names only at finish(), synced, the sidecar last; without it the
// temporary files (NAME.bin.tmp and so on) are removed again. Failures throw Error.
class ShardWriter {
 public:
  ShardWriter(const std::filesystem::path& bin, int64_t vocab_size, std::string tokenizer_hash);
  ~ShardWriter();
  ShardWriter(const ShardWriter&) = delete;
  ShardWriter& operator=(const ShardWriter&) = delete;

  // The tokens that follow belong to a new document.
  void begin_document();
  // Throws InternalError when a token is not in [0, vocab_size).
  void append(std::span<const int32_t> tokens);
  // The same with a mark for each token: whether it counts as a target. Either all or no tokens of
  // a shard have one.
  void append(std::span<const int32_t> tokens, std::span<const uint8_t> supervised);
  // No document crosses a multiple of this many tokens.
  void set_packed(int64_t context);
  // Adds to the number of bytes of text that the tokens stand for.
  void count_text(int64_t bytes);
  ShardInfo finish();

  int64_t tokens() const;
  int64_t documents() const;

 private:
  struct State;
  void append_tokens(std::span<const int32_t> tokens);
  std::unique_ptr<State> state_;
};

}  // namespace anneal
