#pragma once

#include <string>
#include <string_view>

#include "anneal/data/tokenizer/vocabulary.hpp"

namespace anneal::bpe {

// Reads a tokenizer.json; `where` names it in errors. Throws FormatError, naming the JSON key, for
// what is malformed or not supported. Memory is bounded by a multiple of the text's size.
VocabularySpec read_tokenizer_json(std::string_view json, const std::string& where);

// Writes one, with merges as "left right", which every version of Hugging Face's library reads.
std::string write_tokenizer_json(const VocabularySpec& spec);

}  // namespace anneal::bpe
