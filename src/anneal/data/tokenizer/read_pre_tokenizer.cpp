#include <algorithm>
#include <iterator>

#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer/normalizer.hpp"
#include "anneal/data/tokenizer/pre_tokenizer.hpp"
#include "anneal/data/tokenizer/unicode.hpp"
#include "anneal/data/tokenizer/utf8.hpp"

namespace anneal::tokenizing {
namespace {

// Patterns of which no word has a space after another character, nor depends on what stands beyond
// such a place: those of Llama 3, Qwen 2 and GPT-4o.
constexpr std::string_view kCutAtSpace[] = {
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
};

Behavior read_behavior(const JsonValue& value, const char* fallback) {
  std::string name = value.find("behavior") ? value.text("behavior") : fallback;
  if (name == "Removed") return Behavior::removed;
  if (name == "Isolated") return Behavior::isolated;
  if (name == "MergedWithPrevious") return Behavior::merged_with_previous;
  if (name == "MergedWithNext") return Behavior::merged_with_next;
  if (name == "Contiguous") return Behavior::contiguous;
  value.fail(str("the behavior ", shown(name),
                 " is unknown; expected Removed, Isolated, MergedWithPrevious, MergedWithNext or "
                 "Contiguous"));
}

void read_split(const JsonValue& value, PreTokenizers& all) {
  Behavior behavior = read_behavior(value, "Isolated");
  bool invert = value.boolean("invert", false);
  all.steps.push_back(split_pre_tokenizer(read_pattern(value), behavior, invert));
  JsonValue pattern = value.object("pattern");
  auto regex = pattern.find("Regex");
  bool removes = behavior != Behavior::isolated && !(behavior == Behavior::removed && invert);
  all.cut_at_space &= regex && !removes &&
                      std::find(std::begin(kCutAtSpace), std::end(kCutAtSpace), regex->as_text()) !=
                          std::end(kCutAtSpace);
}

void read_byte_level(const JsonValue& value, PreTokenizers& all) {
  bool prefix = value.boolean("add_prefix_space", true);
  bool pattern = value.boolean("use_regex", true);
  all.gpt2_alone = pattern && !prefix && all.steps.empty();
  if (prefix) all.steps.push_back(prefix_space_pre_tokenizer());
  if (pattern) all.steps.push_back(gpt2_pre_tokenizer());
  all.cut_at_space &= !prefix && (pattern || !all.steps.empty());
  all.byte_level = true;
}

void read(const JsonValue& value, PreTokenizers& all) {
  std::string type = value.text("type");
  if (type == "Sequence") {
    JsonValue list = value.array("pretokenizers");
    for (size_t i = 0; i < list.size(); ++i) read(list.item(i), all);
    return;
  }
  if (all.byte_level) value.fail("nothing may follow ByteLevel");
  if (type == "ByteLevel") return read_byte_level(value, all);
  if (type == "Split") return read_split(value, all);
  if (type == "Digits") {
    Behavior behavior =
        value.boolean("individual_digits", false) ? Behavior::isolated : Behavior::contiguous;
    return all.steps.push_back(character_pre_tokenizer(is_numeric, behavior));
  }
  if (type == "Punctuation") {
    all.cut_at_space = false;
    return all.steps.push_back(
        character_pre_tokenizer(is_punctuation, read_behavior(value, "Isolated")));
  }
  all.cut_at_space = false;
  if (type == "Whitespace") {
    all.steps.push_back(whitespace_pre_tokenizer());
  } else if (type == "WhitespaceSplit") {
    all.steps.push_back(character_pre_tokenizer(bpe::is_white_space, Behavior::removed));
  } else if (type == "Metaspace") {
    all.steps.push_back(metaspace_pre_tokenizer(read_metaspace_replacement(value),
                                                read_prepend_scheme(value),
                                                value.boolean("split", true)));
  } else {
    value.find("type")->fail(
        str("the pre-tokenizer ", shown(type),
            " is not supported; supported are Sequence, ByteLevel, Split, Digits, "
            "Punctuation, Whitespace, WhitespaceSplit and Metaspace"));
  }
}

}  // namespace

PreTokenizers read_pre_tokenizers(const std::optional<JsonValue>& value) {
  PreTokenizers all;
  all.cut_at_space = true;
  if (value) read(*value, all);
  all.cut_at_space &= all.byte_level;
  return all;
}

std::string read_metaspace_replacement(const JsonValue& value) {
  std::string mark = value.text("replacement");
  bpe::Utf8Char c = bpe::utf8_char(mark, 0);
  if (c.bytes == 0 || static_cast<size_t>(c.bytes) != mark.size())
    value.fail("expected one character as replacement");
  return mark;
}

PrependScheme read_prepend_scheme(const JsonValue& value) {
  auto name = value.find("prepend_scheme");
  if (!name)
    return value.boolean("add_prefix_space", true) ? PrependScheme::always : PrependScheme::never;
  if (name->as_text() == "always") return PrependScheme::always;
  if (name->as_text() == "first") return PrependScheme::first;
  if (name->as_text() == "never") return PrependScheme::never;
  name->fail(str("expected always, first or never, got ", shown(name->as_text())));
}

}  // namespace anneal::tokenizing
