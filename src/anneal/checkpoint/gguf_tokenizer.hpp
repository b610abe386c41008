#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "anneal/checkpoint/gguf.hpp"
#include "anneal/checkpoint/gguf_writer.hpp"
#include "anneal/checkpoint/hf_config.hpp"

namespace anneal {

// What a GGUF file says about text, as the files of a Hugging Face directory.
struct GgufTokenizer {
  std::string tokenizer_json;  // "": the file has no tokenizer, or one of another kind
  std::string tokenizer_config_json;
  HfTokenIds ids;
  std::vector<std::string> warnings;  // what may differ from the model's own tokenizer
};

// Byte-level BPE ("gpt2") and SentencePiece's BPE with byte fallback ("llama"). Throws FormatError
// if the lists of tokens, merges, types and scores don't fit together.
GgufTokenizer tokenizer_from_gguf(const GgufFile& file, int64_t vocab_size);

// The keys of a tokenizer.json of either kind, filled up to `vocab_size` tokens as llama.cpp does;
// returns what could not be said, "" if nothing. `config_json` is the text of
// tokenizer_config.json, or "".
std::string add_tokenizer_metadata(std::string_view tokenizer_json, std::string_view config_json,
                                   const HfTokenIds& ids, int64_t vocab_size, GgufWriter& out);

// Inside the room: how llama.cpp's names of pre-tokenisers read in a tokenizer.json.
struct PreTokenizer {
  std::string_view name;  // tokenizer.ggml.pre
  std::string_view kind;  // "gpt2": ByteLevel's own pattern; "digits": each digit alone, then that;
                          // "split": the pattern below
  std::string_view pattern;
  bool ignore_merges = false;  // whole words of the vocabulary are taken as they are
  bool nfc = false;            // text is normalised
};
std::span<const PreTokenizer> pre_tokenizers();

}  // namespace anneal
