#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/data/tokenizer/flat_map.hpp"

namespace anneal::bpe {

// Tokens `left` and `right`, next to each other, become `merged`.
struct Merge {
  int32_t left = 0, right = 0, merged = 0;
  bool operator==(const Merge&) const = default;
};

// The rank of a pair without a merge, above all others.
inline constexpr int32_t kNoRank = std::numeric_limits<int32_t>::max();
// Words of at most so many bytes are merged by the quadratic method.
inline constexpr size_t kShortWord = 48;

// A token that is found as a whole in the text, before the text is cut into words.
struct AddedToken {
  int32_t id = 0;
  std::string text;
  bool special = false;
  bool normalized = false;  // it is looked for only after those that are not
};

// What a tokenizer.json says.
struct VocabularySpec {
  std::vector<std::string>
      tokens;                 // the model's tokens as bytes, by id; each of the 256 bytes is one
  std::vector<Merge> merges;  // in the order in which they are applied
  // By id. Their ids are those of the model's tokens with the same text, or else follow the
  // model's.
  std::vector<AddedToken> added;
  bool ignore_merges = false;  // a word that is a token becomes that token whatever the merges say
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

// A byte-level BPE vocabulary, immutable.
class Vocabulary {
 public:
  // The spec must satisfy what its comments say.
  explicit Vocabulary(VocabularySpec spec);
  Vocabulary(const Vocabulary&) = delete;
  Vocabulary& operator=(const Vocabulary&) = delete;

  const VocabularySpec& spec() const { return spec_; }
  // Number of ids, added tokens included.
  int32_t size() const { return static_cast<int32_t>(special_.size()); }
  // The bytes of a token.
  const std::string& token(int32_t id) const {
    size_t model = spec_.tokens.size(), i = static_cast<size_t>(id);
    return i < model ? spec_.tokens[i] : spec_.added[first_outside_ + i - model].text;
  }
  bool special(int32_t id) const { return special_[id]; }

  // Appends the ids of a text, in which added tokens are found, special ones only if
  // `with_special`.
  void encode(std::string_view text, bool with_special, std::vector<int32_t>& ids) const;

  // Whether the text can be cut at `at` without cutting through an added token that is not special;
  // what follows the text may be anything.
  bool cut_spares_added(std::string_view text, size_t at) const;

 private:
  enum class Pass { not_normalized, normalized, words };

  void encode_from(Pass pass, std::string_view text, bool with_special,
                   std::vector<int32_t>& ids) const;
  const AddedToken* added_at(Pass pass, std::string_view text, bool with_special) const;
  void encode_words(std::string_view text, std::vector<int32_t>& ids) const;
  void encode_word(std::string_view word, std::vector<int32_t>& ids) const;
  void merge_short(std::string_view word, std::vector<int32_t>& ids) const;
  void merge_long(std::string_view word, std::vector<int32_t>& ids) const;
  int32_t rank(int32_t left, int32_t right) const;

  VocabularySpec spec_;
  std::vector<bool> special_;
  TokenMap map_;
  std::vector<bool> whole_;              // the word that a token spells is encoded as that token
  std::array<int32_t, 256> byte_ids_{};  // the token of each byte
  FlatMap<int32_t> ranks_;               // pair -> place in spec_.merges
  std::array<std::vector<const AddedToken*>, 256> added_by_byte_;  // by first byte, longest first
  size_t first_outside_ = 0;  // the first of spec_.added that the model does not have
  bool any_added_ = false, any_ordinary_added_ = false;
};

}  // namespace anneal::bpe
