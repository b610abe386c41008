#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "anneal/data/tokenizer/json_value.hpp"

namespace anneal::tokenizing {

// The special tokens that a post-processor puts around a text.
struct PostProcessor {
  std::vector<int32_t> before, after;
};

// What `post_processor` of a tokenizer.json says of single texts. Ids are below `vocab_size`.
PostProcessor read_post_processor(const std::optional<JsonValue>& value, int64_t vocab_size);

}  // namespace anneal::tokenizing
