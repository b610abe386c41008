#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/base/file.hpp"

namespace anneal {

// Bytes of one token in a shard.
enum class TokenWidth : uint8_t { u16 = 2, u32 = 4 };

std::string_view name_of(TokenWidth width);  // "uint16" | "uint32"
// Throws UsageError naming data.dtype for any other name.
TokenWidth token_width(std::string_view name);
// The narrowest width that holds tokens 0 … vocab_size-1.
TokenWidth width_for(int64_t vocab_size);

// What NAME.json says of NAME.bin. The offsets stay in the file: see document_offsets().
struct ShardInfo {
  TokenWidth width = TokenWidth::u16;
  int64_t count = 0;           // tokens
  int64_t vocab_size = 0;      // every token is below it
  std::string tokenizer_hash;  // "" when unknown
  int64_t documents = 0;       // 0 when unknown
  int64_t text_bytes = -1;     // bytes of text that the tokens stand for; -1 when unknown
  std::string checksum;        // ContentHash of NAME.bin; "" when unknown
  int64_t supervised = -1;     // tokens marked in NAME.mask; -1: there is none, all count
  std::string mask_checksum;   // ContentHash of NAME.mask; "" when unknown
  int64_t packed = 0;          // documents never cross a multiple of this; 0: they may
  bool operator==(const ShardInfo&) const = default;
};

// NAME.json of NAME.bin.
std::filesystem::path sidecar_path(const std::filesystem::path& bin);

// NAME.mask of NAME.bin: a bit for each token, from the lowest of each byte on, set where the token
// counts in the loss when it is a target.
std::filesystem::path mask_path(const std::filesystem::path& bin);

// Parses the text of a sidecar. When `offsets` is given it receives where each document starts.
// Throws FormatError (exit code 2) naming `where` unless: dtype, count and vocab_size are there,
// offsets start at 0, never fall and never exceed count, and every field has its type and range.
// Unknown fields are passed over.
ShardInfo parse_sidecar(std::string_view json, const std::string& where,
                        std::vector<int64_t>* offsets = nullptr);

// A token shard, memory-mapped: NAME.bin, a little-endian flat array, and what is known of it.
class TokenShard {
 public:
  // Opens NAME.bin and its sidecar NAME.json. Throws FormatError (exit code 2) when they are
  // malformed or contradict each other. The tokens themselves are checked as they are read.
  static TokenShard open(const std::filesystem::path& bin);

  // Opens a bare NAME.bin. check_tokens() must pass before its tokens are used.
  static TokenShard open_bare(const std::filesystem::path& bin, TokenWidth width,
                              int64_t vocab_size);

  const ShardInfo& info() const { return info_; }
  const std::string& path() const { return path_; }
  int64_t size() const { return info_.count; }

  // Copies tokens [begin, begin + out.size()). Throws FormatError (exit code 2) that names the
  // position when one is not below the vocabulary size.
  void read(int64_t begin, std::span<int32_t> out) const;

  // Whether each of tokens [begin, begin + out.size()) counts as a target: 1 or 0.
  void read_supervised(int64_t begin, std::span<uint8_t> out) const;

  // One pass over the first `limit` tokens (all, when negative); throws as read() does.
  void check_tokens(int64_t limit = -1) const;

  // Where each document starts, read again from the sidecar; empty when unknown.
  std::vector<int64_t> document_offsets() const;

 private:
  TokenShard(const std::filesystem::path& bin, ShardInfo info);
  [[noreturn]] void bad_token(int64_t begin, int64_t count) const;

  std::string path_;
  ShardInfo info_;
  MappedFile file_;
  std::optional<MappedFile> mask_;
};

}  // namespace anneal
