#pragma once

#include <array>

#include "anneal/data/tokenizer/merges.hpp"
#include "anneal/data/tokenizer/model.hpp"
#include "anneal/data/tokenizer/vocabulary.hpp"

namespace anneal::bpe {

// Byte-pair encoding: a word's bytes (byte-level) or characters are joined by merges.
class Bpe : public tokenizing::Model {
 public:
  // The spec must satisfy what its comments say.
  explicit Bpe(VocabularySpec spec);
  Bpe(const Bpe&) = delete;
  Bpe& operator=(const Bpe&) = delete;

  const VocabularySpec& spec() const { return spec_; }
  const std::vector<std::string>& tokens() const override { return spec_.tokens; }
  void encode_word(std::string_view word, std::vector<int32_t>& ids) const override;
  void encode_byte(unsigned char byte, std::vector<int32_t>& ids) const override;

 private:
  class Parts;
  void merge(std::string_view word, std::vector<int32_t>& ids) const;

  VocabularySpec spec_;
  TokenMap map_;
  Merges merges_;
  std::vector<bool> whole_;              // the word that a token spells is encoded as that token
  std::array<int32_t, 256> byte_ids_{};  // the token of each byte, or −1
  bool every_byte_ = true;
  std::vector<int32_t> fallback_;  // the token <0xNN> of each byte, or −1
};

}  // namespace anneal::bpe
