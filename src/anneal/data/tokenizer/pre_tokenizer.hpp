#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/data/tokenizer/json_value.hpp"
#include "anneal/data/tokenizer/pattern.hpp"

namespace anneal::tokenizing {

// The pieces that a text has been cut into so far.
struct Pieces {
  struct Piece {
    std::string_view text;  // not empty
    bool at_start = false;  // of the whole text
  };
  std::vector<Piece> items;
  std::deque<std::string> owned;  // texts that steps have changed

  // Keeps a changed text as long as the pieces.
  std::string_view keep(std::string text) { return owned.emplace_back(std::move(text)); }
};

// One step that cuts pieces, or changes their text.
using PreTokenizer = std::function<void(Pieces&)>;

// What becomes of what a step cuts at.
enum class Behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

PreTokenizer split_pre_tokenizer(Pattern pattern, Behavior behavior, bool invert);
PreTokenizer character_pre_tokenizer(std::function<bool(char32_t)> is_match, Behavior behavior);
// \w+|[^\w\s]+
PreTokenizer whitespace_pre_tokenizer();

enum class PrependScheme { always, first, never };
// Spaces become `replacement`, which is also put in front; `split` cuts before each.
PreTokenizer metaspace_pre_tokenizer(std::string replacement, PrependScheme scheme, bool split);

PreTokenizer prefix_space_pre_tokenizer();
// GPT-2's pattern, by Splitter.
PreTokenizer gpt2_pre_tokenizer();

struct PreTokenizers {
  std::vector<PreTokenizer> steps;
  bool byte_level = false;    // the model sees bytes, not characters
  bool gpt2_alone = false;    // GPT-2's pattern is all there is
  bool cut_at_space = false;  // a text may be cut before a space that follows another character
};
PreTokenizers read_pre_tokenizers(const std::optional<JsonValue>& value);

// The replacement and the scheme of a Metaspace, as pre-tokenizer or decoder.
std::string read_metaspace_replacement(const JsonValue& value);
PrependScheme read_prepend_scheme(const JsonValue& value);

}  // namespace anneal::tokenizing
