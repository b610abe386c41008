#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace anneal::bpe {

// Tokens `left` and `right`, next to each other, become `merged`.
struct Merge {
  int32_t left = 0, right = 0, merged = 0;
  bool operator==(const Merge&) const = default;
};

// The rank of a pair without a merge, above all others.
inline constexpr int32_t kNoRank = std::numeric_limits<int32_t>::max();
// Words of at most so many parts are merged by the quadratic method.
inline constexpr size_t kShortWord = 48;

// A token that is found as a whole in the text, before the text is cut into words.
struct AddedToken {
  int32_t id = 0;
  std::string text;
  bool special = false;
  bool normalized = false;   // it is looked for only after those that are not, in normalized text
  bool single_word = false;  // only where no word character stands next to it
  bool lstrip = false;       // it takes the white space before it
  bool rstrip = false;       // and after it
};

// What a file says of a BPE model.
struct VocabularySpec {
  std::vector<std::string> tokens;  // by id: bytes for byte-level BPE, else text
  std::vector<Merge> merges;        // in the order in which they are applied
  // By id. Their ids are those of the model's tokens with the same text, or else follow the
  // model's.
  std::vector<AddedToken> added;
  bool ignore_merges = false;  // a word that is a token becomes that token whatever the merges say
  bool byte_level = true;      // words begin as their bytes, otherwise as their characters
  // What becomes of a part that is no token: its bytes' tokens <0x00> … <0xFF>, else the unknown
  // token (one for neighbours together if fused), else nothing.
  bool byte_fallback = false;
  bool fuse_unknown = false;
  int32_t unknown = -1;
};

// Finds tokens by their bytes.
class TokenMap {
 public:
  explicit TokenMap(std::span<const std::string> tokens);
  // The id of the token, or −1. `tokens` are those of the constructor.
  int32_t find(std::string_view bytes, std::span<const std::string> tokens) const;

 private:
  struct Slot {
    uint32_t tag = 0;  // other bits of the hash
    int32_t id = -1;
  };
  std::vector<Slot> slots_;
};

// The id of the token <0xNN> of each byte, or −1.
std::vector<int32_t> byte_tokens(const TokenMap& map, std::span<const std::string> tokens);

}  // namespace anneal::bpe
