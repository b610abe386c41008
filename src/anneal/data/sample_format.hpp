#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "anneal/data/chat_template.hpp"
#include "anneal/data/tokenizer.hpp"

namespace anneal {

// How a model's directory says that its texts are put together and end.
struct SampleFormat {
  std::optional<ChatTemplate> chat;
  std::vector<int32_t> end_ids;  // tokens that end a text, the one to write first; may be empty
  std::string hash;              // of all that the two come from
};

// `named` is data.tokenizer: a model directory, or a tokenizer.json in one; "byte" has no template.
// `model_ends` are the tokens that end a text for the model itself, where it is known. Throws
// FormatError for files that are malformed.
SampleFormat sample_format(const std::string& named, const Tokenizer& tokenizer,
                           const std::vector<int64_t>& model_ends);

}  // namespace anneal
