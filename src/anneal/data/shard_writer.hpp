#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "anneal/data/token_shard.hpp"

namespace anneal {

// Writes NAME.bin and NAME.json piece by piece in constant memory. Both appear under their names
// only at finish(), synced, the sidecar last; without it the temporary files (NAME.bin.tmp,
// NAME.json.tmp) are removed again. Failures throw Error.
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
  // Adds to the number of bytes of text that the tokens stand for.
  void count_text(int64_t bytes);
  ShardInfo finish();

  int64_t tokens() const;
  int64_t documents() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace anneal
