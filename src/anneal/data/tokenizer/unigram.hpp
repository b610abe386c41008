#pragma once

#include "anneal/data/tokenizer/model.hpp"
#include "anneal/data/tokenizer/trie.hpp"
#include "anneal/data/tokenizer/vocabulary.hpp"

namespace anneal::tokenizing {

struct UnigramSpec {
  std::vector<std::string> tokens;
  std::vector<double> scores;  // natural logarithms of probabilities
  int32_t unknown = -1;
  bool byte_fallback = false;
};

// The longest token of a Unigram model that is accepted: it bounds the work at each character.
inline constexpr size_t kLongestUnigramToken = 1024;

// A unigram language model (Kudo, "Subword Regularization", 2018): of all ways to cut a word into
// tokens, the most probable one. A character that is no token counts as unknown, with a probability
// e^10 times below the least of all tokens; neighbouring unknown ones become one token.
class Unigram : public Model {
 public:
  explicit Unigram(UnigramSpec spec);

  const std::vector<std::string>& tokens() const override { return spec_.tokens; }
  // Throws Error for an unknown character if there is no unknown token.
  void encode_word(std::string_view word, std::vector<int32_t>& ids) const override;
  void encode_byte(unsigned char byte, std::vector<int32_t>& ids) const override;

 private:
  void append(std::string_view piece, std::vector<int32_t>& ids) const;

  UnigramSpec spec_;
  Trie trie_;
  bpe::TokenMap map_;
  std::vector<int32_t> fallback_;  // the token <0xNN> of each byte, or −1
  double unknown_score_ = 0;
};

}  // namespace anneal::tokenizing
