#pragma once

#include <functional>
#include <span>
#include <vector>

#include "anneal/data/tokenizer/trie.hpp"
#include "anneal/data/tokenizer/vocabulary.hpp"

namespace anneal::tokenizing {

using bpe::AddedToken;

// Finds added tokens in a text, from left to right, the longest first.
class AddedTokens {
 public:
  // Which tokens are looked for: those that are normalized or the others. `normalize` is applied to
  // the texts of the former.
  AddedTokens(std::span<const AddedToken> tokens, bool normalized,
              const std::function<std::string(std::string_view)>& normalize);

  // Whether there is something to look for.
  bool any(bool with_special) const { return with_special ? any_ : any_ordinary_; }

  // Calls words(text, begin) for each part of `text` without tokens, at its offset, and
  // token(id, begin, end) for each token, in order. Special ones are found only if `with_special`.
  void split(std::string_view text, bool with_special,
             const std::function<void(std::string_view, size_t)>& words,
             const std::function<void(int32_t, size_t, size_t)>& token) const;

 private:
  const AddedToken* longest(std::string_view text, bool with_special, size_t& length) const;

  std::vector<AddedToken> tokens_;
  Trie trie_;  // places in tokens_
  bool any_ = false, any_ordinary_ = false;
};

}  // namespace anneal::tokenizing
