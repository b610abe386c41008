#pragma once

#include <memory>
#include <span>
#include <vector>

#include "anneal/data/tokenizer/json_value.hpp"
#include "anneal/data/tokenizer/unigram.hpp"
#include "anneal/data/tokenizer/vocabulary.hpp"

namespace anneal::tokenizing {

// A BPE model of a tokenizer.json, without added tokens.
bpe::VocabularySpec read_bpe(const JsonValue& model, bool byte_level);
// The same from GPT-2's vocab.json and the text of merges.txt; `where` names the latter in errors.
bpe::VocabularySpec read_bpe_files(const JsonValue& vocab, std::string_view merges,
                                   const std::string& where);

UnigramSpec read_unigram(const JsonValue& model);

// `added_tokens` of a tokenizer.json, by id; `tokens` are the model's.
std::vector<bpe::AddedToken> read_added_tokens(const JsonValue& root,
                                               std::span<const std::string> tokens,
                                               bool byte_level);

}  // namespace anneal::tokenizing
