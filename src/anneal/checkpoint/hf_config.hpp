#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/model/config.hpp"

namespace anneal {

// Token ids that Hugging Face's config.json and generation_config.json carry.
struct HfTokenIds {
  std::optional<int64_t> bos;
  std::vector<int64_t> eos;  // any of them ends a text; empty: none
  std::optional<int64_t> pad;
  bool operator==(const HfTokenIds&) const = default;
};

// The text of config.json for the family's class in transformers, keys sorted. Ids that are not
// there are written as null, since transformers would otherwise assume GPT-2's.
std::string hf_config_json(const ModelConfig& config, const HfTokenIds& ids);

// The text of generation_config.json.
std::string generation_config_json(const HfTokenIds& ids);

// The text of tokenizer_config.json, beside a tokenizer.json that says all about the text itself.
// Without it transformers chooses the class by the model's family: Llama's puts a token in front of
// every text that the model does not have.
// `end_of_text`: the token that ends a document, "" if there is none.
std::string tokenizer_config_json(std::string_view end_of_text, int64_t context);

// The model that the text of a config.json describes, with nothing left to derive; `where` is the
// file's name in errors. Throws FormatError if it is not JSON of the right types and UsageError if
// it asks for what Anneal's models don't do (scaled RoPE, another activation, …), naming the key.
ModelConfig model_config_from_hf(std::string_view json, const std::string& where);

// The ids in the text of a config.json or generation_config.json.
HfTokenIds token_ids_from_hf(std::string_view json, const std::string& where);

}  // namespace anneal
