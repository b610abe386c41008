#pragma once

#include <span>
#include <string>
#include <string_view>

#include "anneal/data/tokenizer/pipeline.hpp"

namespace anneal::tokenizing {

// Reads a tokenizer.json; `where` names it in errors. Throws FormatError, naming the JSON key, for
// what is malformed or not supported. Memory is bounded by a multiple of the text's size.
Parts read_tokenizer_json(std::string_view json, const std::string& where);

// Reads GPT-2's vocab.json and merges.txt; `where` names their directory in errors.
Parts read_gpt2_files(std::string_view vocab, std::string_view merges, const std::string& where);

// Writes one of byte-level BPE by GPT-2's pattern, with merges as "left right", which every version
// of Hugging Face's library reads.
std::string write_tokenizer_json(const bpe::VocabularySpec& spec,
                                 std::span<const AddedToken> added);

}  // namespace anneal::tokenizing
