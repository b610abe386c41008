#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer/byte_level.hpp"
#include "anneal/data/tokenizer/json.hpp"

namespace anneal::tokenizing {
namespace {

// `text` as a JSON string; it is valid UTF-8.
std::string quoted(std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += digits[c >> 4];
      out += digits[c & 15];
    } else {
      out += c;
    }
  }
  return out += '"';
}

const char* boolean(bool value) { return value ? "true" : "false"; }

}  // namespace

std::string write_tokenizer_json(const bpe::VocabularySpec& spec,
                                 std::span<const AddedToken> added) {
  std::string out = "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n";
  out += "  \"added_tokens\": [";
  const char* separator = "\n";
  for (const AddedToken& token : added) {
    out += separator;
    out += "    {\n      \"id\": " + std::to_string(token.id);
    out += ",\n      \"content\": " + quoted(token.text);
    out += ",\n      \"single_word\": false,\n      \"lstrip\": false,\n      \"rstrip\": false";
    out += str(",\n      \"normalized\": ", boolean(token.normalized));
    out += str(",\n      \"special\": ", boolean(token.special), "\n    }");
    separator = ",\n";
  }
  out += added.empty() ? "],\n" : "\n  ],\n";
  out +=
      "  \"normalizer\": null,\n"
      "  \"pre_tokenizer\": {\n    \"type\": \"ByteLevel\",\n    \"add_prefix_space\": false,\n"
      "    \"trim_offsets\": true,\n    \"use_regex\": true\n  },\n"
      "  \"post_processor\": null,\n"
      "  \"decoder\": {\n    \"type\": \"ByteLevel\",\n    \"add_prefix_space\": true,\n"
      "    \"trim_offsets\": true,\n    \"use_regex\": true\n  },\n"
      "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": null,\n"
      "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n"
      "    \"fuse_unk\": false,\n    \"byte_fallback\": false,\n";
  out += str("    \"ignore_merges\": ", boolean(spec.ignore_merges), ",\n    \"vocab\": {");
  separator = "\n";
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    out += separator;
    out += "      " + quoted(bpe::to_byte_level(spec.tokens[id])) + ": " + std::to_string(id);
    separator = ",\n";
  }
  out += "\n    },\n    \"merges\": [";
  separator = "\n";
  for (const bpe::Merge& merge : spec.merges) {
    out += separator;
    out += "      " + quoted(bpe::to_byte_level(spec.tokens[merge.left]) + " " +
                             bpe::to_byte_level(spec.tokens[merge.right]));
    separator = ",\n";
  }
  return out += spec.merges.empty() ? "]\n  }\n}\n" : "\n    ]\n  }\n}\n";
}

}  // namespace anneal::tokenizing
