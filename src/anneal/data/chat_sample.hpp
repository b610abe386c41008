#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/data/byte_span.hpp"
#include "anneal/data/chat_template.hpp"
#include "anneal/data/tokenizer.hpp"

namespace anneal {

// The chat template of a model directory, with its bos_token, eos_token and so on:
// chat_template.jinja, or else `chat_template` of tokenizer_config.json, a string or a list of
// which "default" is taken. Nothing if the directory has neither. Throws FormatError for files that
// are malformed, or a template that is not supported.
std::optional<ChatTemplate> load_chat_template(const std::filesystem::path& directory);

// A text to train on, and what of it counts in the loss.
struct TextSample {
  std::string text;
  std::vector<ByteSpan> supervised;  // in order
  bool rendered = false;  // by a chat template, which writes the special tokens around it itself
};

// Reads one line of JSONL, a JSON object, by the first of these that it has:
//
//   messages             a conversation: what the assistant writes counts; `tools` and
//                        `chat_template_kwargs` are given to the template
//   prompt, completion   strings: the completion counts; or lists of messages: what the assistant
//                        writes in the completion counts
//   text                 a string: all of it counts
//
// `chat` may be null if no line has messages. Throws UsageError "[path:line] …" for a line that has
// none of them, or in which nothing counts; for what the template refuses too.
TextSample read_text_sample(std::string_view json, const ChatTemplate* chat,
                            const std::string& path, int64_t line);

struct TokenSample {
  std::vector<int32_t> tokens;
  std::vector<uint8_t> supervised;  // 1: the token counts as a target, 0: it doesn't
};

// The tokens of a sample; those that share a byte with what counts do count. As in transformers,
// special tokens are read wherever their text stands, in messages too. To what no template has
// rendered, the tokenizer's own special tokens are added, and end_ids[0] at the end, which counts.
// `end_ids` end a text when the model generates. Throws UsageError "[path:line] …" if the last
// token that counts is none of them: a model trained on that would never stop.
TokenSample tokenise_sample(const TextSample& sample, const Tokenizer& tokenizer,
                            std::span<const int32_t> end_ids, const std::string& path,
                            int64_t line);

}  // namespace anneal
