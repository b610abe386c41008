#include <algorithm>
#include <nlohmann/json.hpp>

#include "anneal/base/error.hpp"
#include "anneal/checkpoint/gguf_tokenizer.hpp"

namespace anneal {
namespace {

using Json = nlohmann::json;

constexpr int32_t normal_type = 1, unknown_type = 2, control_type = 3, user_defined_type = 4,
                  unused_type = 5, byte_type = 6;

// <0x00> to <0xFF>
bool is_byte_token(const std::string& text) {
  return text.size() == 6 && text.starts_with("<0x") && text.ends_with(">");
}

struct Tokens {
  std::vector<std::string> texts;
  std::vector<int32_t> types;
};

Tokens tokens_of(const Json& json, bool byte_fallback, int64_t vocab_size) {
  auto n = static_cast<size_t>(vocab_size);
  Tokens tokens{std::vector<std::string>(n), std::vector<int32_t>(n, unused_type)};
  auto put = [&](const std::string& text, const Json& id, int32_t type) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= n)
      throw FormatError(str("token id ", id.dump(), " is beyond the model's ", n, " tokens"));
    tokens.texts[id.get<size_t>()] = text;
    tokens.types[id.get<size_t>()] = type;
  };
  const Json& model = json.at("model");
  for (const auto& [text, id] : model.at("vocab").items())
    put(text, id, byte_fallback && is_byte_token(text) ? byte_type : normal_type);
  for (const auto& added : json.value("added_tokens", Json::array())) {
    auto text = added.at("content").get<std::string>();
    bool unknown = byte_fallback && model.contains("unk_token") && model["unk_token"] == text;
    put(text, added.at("id"),
        unknown                         ? unknown_type
        : added.value("special", false) ? control_type
                                        : user_defined_type);
  }
  // llama.cpp wants a name for every row, and each once.
  for (size_t i = 0; i < n; ++i)
    if (tokens.types[i] == unused_type) tokens.texts[i] = str("[PAD", i, "]");
  return tokens;
}

// llama.cpp's name of how this tokenizer cuts text into words; "" if it is none of the known ones.
std::string_view pre_tokenizer_name(const Json& json) {
  std::vector<Json> steps;
  const Json pre = json.value("pre_tokenizer", Json());
  if (pre.is_object() && pre.value("type", "") == "Sequence")
    for (const auto& step : pre.at("pretokenizers")) steps.push_back(step);
  else
    steps.push_back(pre);
  std::string kind, pattern;
  for (const auto& step : steps) {
    auto type = step.is_object() ? step.value("type", "") : "";
    if (type == "Digits" && step.value("individual_digits", false) && kind.empty()) {
      kind = "digits";
    } else if (type == "Split" && kind.empty()) {
      kind = "split";
      pattern = step.at("pattern").value("Regex", "");
    } else if (type == "ByteLevel" && !step.value("add_prefix_space", true)) {
      if (kind.empty()) kind = "gpt2";
      if (step.value("use_regex", true) != (kind != "split")) return "";
    } else {
      return "";
    }
  }
  for (const auto& known : pre_tokenizers())
    if (known.kind == kind && known.pattern == pattern) return known.name;
  return "";
}

std::vector<std::string> merges_of(const Json& model) {
  std::vector<std::string> merges;
  for (const auto& merge : model.at("merges"))
    merges.push_back(merge.is_array()
                         ? str(merge.at(0).get<std::string>(), " ", merge.at(1).get<std::string>())
                         : merge.get<std::string>());
  return merges;
}

// Scores that order the unions of merges as the merges are: the first best, other tokens last.
std::vector<float> scores_of(const Json& model, const Tokens& tokens) {
  std::map<std::string, float> best;
  float score = 0;
  for (const auto& merge : merges_of(model)) {
    auto space = merge.find(' ', 1);
    if (space != std::string::npos)
      best.emplace(merge.substr(0, space) + merge.substr(space + 1), score -= 1);
  }
  std::vector<float> scores;
  for (const auto& text : tokens.texts) {
    auto at = best.find(text);
    scores.push_back(at == best.end() ? -1e6f : at->second);
  }
  return scores;
}

std::string write(const Json& json, const Json& config, const HfTokenIds& ids, int64_t vocab_size,
                  GgufWriter& out) {
  const Json& model = json.at("model");
  if (model.value("type", "") != "BPE") return "its model is not BPE";
  bool byte_fallback = model.value("byte_fallback", false);
  auto name = byte_fallback ? std::string_view() : pre_tokenizer_name(json);
  if (!byte_fallback && name.empty())
    return "its pre-tokenizer is none that has a name in llama.cpp";
  auto tokens = tokens_of(json, byte_fallback, vocab_size);
  auto merges = merges_of(model);

  out.add("tokenizer.ggml.model", byte_fallback ? "llama" : "gpt2");
  out.add("tokenizer.ggml.pre", byte_fallback ? std::string_view("default") : name);
  out.add("tokenizer.ggml.tokens", std::span<const std::string>(tokens.texts));
  if (byte_fallback)
    out.add("tokenizer.ggml.scores", std::span<const float>(scores_of(model, tokens)));
  out.add("tokenizer.ggml.token_type", std::span<const int32_t>(tokens.types));
  if (!byte_fallback) out.add("tokenizer.ggml.merges", std::span<const std::string>(merges));
  auto id = [&](const char* key, std::optional<int64_t> value) {
    if (value && *value >= 0 && *value < vocab_size)
      out.add(str("tokenizer.ggml.", key, "_token_id"), static_cast<uint32_t>(*value));
  };
  id("bos", ids.bos);
  if (!ids.eos.empty()) id("eos", ids.eos[0]);
  if (ids.eos.size() > 1) id("eot", ids.eos[1]);
  id("padding", ids.pad);
  auto starts_with_bos = [&] {
    const Json post = json.value("post_processor", Json());
    return post.is_object() && post.dump().find("\"SpecialToken\"") != std::string::npos;
  };
  out.add("tokenizer.ggml.add_bos_token", ids.bos && starts_with_bos());
  if (byte_fallback)
    out.add("tokenizer.ggml.add_space_prefix",
            json.value("normalizer", Json()).dump().find("Prepend") != std::string::npos);
  if (config.is_object() && config.contains("chat_template") && config["chat_template"].is_string())
    out.add("tokenizer.chat_template", config["chat_template"].get<std::string>());
  return "";
}

}  // namespace

std::string add_tokenizer_metadata(std::string_view tokenizer_json, std::string_view config_json,
                                   const HfTokenIds& ids, int64_t vocab_size, GgufWriter& out) {
  // Depth is bounded, since what walks over a document recurses.
  auto limit = [](int depth, Json::parse_event_t, Json&) { return depth < 64; };
  try {
    auto json = Json::parse(tokenizer_json, limit);
    auto config = Json::parse(config_json, limit, false);
    return write(json, config, ids, vocab_size, out);
  } catch (const Json::exception& e) {
    throw FormatError(str("[tokenizer.json] is not a tokenizer: ", e.what()));
  }
}

}  // namespace anneal
