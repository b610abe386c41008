#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/data/tokenizer/json_value.hpp"
#include "anneal/data/tokenizer/pattern.hpp"
#include "anneal/data/tokenizer/unicode.hpp"

namespace anneal::tokenizing {

// One step that changes a text, valid UTF-8, before it is cut into words.
using Normalizer = std::function<std::string(std::string_view)>;

Normalizer unicode_normalizer(NormalForm form);
Normalizer lowercase_normalizer();
// Puts `content` in front of every text that is not empty.
Normalizer prepend_normalizer(std::string content);
Normalizer replace_normalizer(Pattern pattern, std::string content);
Normalizer strip_normalizer(bool left, bool right);
Normalizer strip_accents_normalizer();
// What SentencePiece's NMT rules do besides NFKC: control characters go, other blanks are spaces.
Normalizer nmt_normalizer();

// The steps that `normalizer` of a tokenizer.json names; `only_unicode` tells whether they are
// normal forms alone, which leave ASCII as it is.
std::vector<Normalizer> read_normalizers(const std::optional<JsonValue>& value, bool& only_unicode);

// A {"String": …} or {"Regex": …} of a tokenizer.json.
Pattern read_pattern(const JsonValue& owner);

}  // namespace anneal::tokenizing
