#include "anneal/checkpoint/gguf_tokenizer.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "anneal/base/error.hpp"
#include "anneal/checkpoint/safetensors_header.hpp"

namespace anneal {
namespace {

using Json = nlohmann::ordered_json;
using Texts = std::vector<std::string_view>;

// llama.cpp's types of tokens; others are ordinary text.
constexpr int unknown_type = 2, control_type = 3, user_defined_type = 4;

class TokenizerReader {
 public:
  TokenizerReader(const GgufFile& file, int64_t vocab_size) : file_(file) {
    tokens_ = file.texts("tokenizer.ggml.tokens").value_or(Texts());
    if (tokens_.empty()) refuse("tokens", "missing");
    // Rows of the embedding beyond the last token belong to none.
    if (static_cast<int64_t>(tokens_.size()) > vocab_size)
      refuse("tokens", str(tokens_.size(), " of them, the embedding has ", vocab_size, " rows"));
    types_ = file.numbers("tokenizer.ggml.token_type").value_or(std::vector<double>());
    if (!types_.empty() && types_.size() != tokens_.size())
      refuse("token_type",
             str("expected one for each of ", tokens_.size(), " tokens, got ", types_.size()));
    for (size_t i = 0; i < tokens_.size(); ++i)
      if (!ids_.emplace(tokens_[i], i).second)
        refuse("tokens", str("two of them are ", quoted_name(tokens_[i])));
  }

  Json byte_level(std::vector<std::string>& warnings) const {
    Json merges = Json::array();
    auto texts = file_.texts("tokenizer.ggml.merges");
    if (!texts) refuse("merges", "missing");
    for (auto merge : *texts) {
      auto space = merge.find(' ', 1);
      if (space == std::string_view::npos || !ids_.contains(merge.substr(0, space)) ||
          !ids_.contains(merge.substr(space + 1)))
        refuse("merges", str(quoted_name(merge), " is not two tokens"));
      merges.push_back(std::string(merge));
    }
    const PreTokenizer& pre = pre_tokenizer(warnings);
    Json byte_level = {{"type", "ByteLevel"},
                       {"add_prefix_space", false},
                       {"trim_offsets", true},
                       {"use_regex", pre.kind != "split"}};
    Json json = start();
    if (pre.nfc) json["normalizer"] = {{"type", "NFC"}};
    json["pre_tokenizer"] = byte_level;
    if (pre.kind == "digits")
      json["pre_tokenizer"] = sequence(
          "pretokenizers", {{{"type", "Digits"}, {"individual_digits", true}}, byte_level});
    if (pre.kind == "split")
      json["pre_tokenizer"] = sequence("pretokenizers", {{{"type", "Split"},
                                                          {"pattern", {{"Regex", pre.pattern}}},
                                                          {"behavior", "Isolated"},
                                                          {"invert", false}},
                                                         byte_level});
    json["post_processor"] = post_processor({{"type", "ByteLevel"},
                                             {"add_prefix_space", true},
                                             {"trim_offsets", true},
                                             {"use_regex", true}},
                                            false);
    json["decoder"] = {{"type", "ByteLevel"},
                       {"add_prefix_space", true},
                       {"trim_offsets", true},
                       {"use_regex", true}};
    json["model"] = model(nullptr, false, pre.ignore_merges, std::move(merges));
    return json;
  }

  Json sentence_piece() const {
    bool prefix = file_.boolean("tokenizer.ggml.add_space_prefix").value_or(true);
    Json replace = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}};
    Json normalizers = Json::array(), decoders = Json::array();
    if (prefix) normalizers.push_back({{"type", "Prepend"}, {"prepend", "▁"}});
    normalizers.push_back(replace);
    decoders.push_back({{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}});
    decoders.push_back({{"type", "ByteFallback"}});
    decoders.push_back({{"type", "Fuse"}});
    if (prefix)
      decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    Json json = start();
    json["normalizer"] = {{"type", "Sequence"}, {"normalizers", normalizers}};
    json["pre_tokenizer"] = nullptr;
    json["post_processor"] = post_processor(nullptr, true);
    json["decoder"] = {{"type", "Sequence"}, {"decoders", decoders}};
    Json unknown = nullptr;
    for (size_t i = 0; i < tokens_.size(); ++i)
      if (is(i, unknown_type)) unknown = std::string(tokens_[i]);
    json["model"] = model(unknown, true, false, merges_of_scores());
    return json;
  }

  std::optional<int64_t> id(const char* key) const {
    auto value = file_.integer(str("tokenizer.ggml.", key, "_token_id"));
    // llama.cpp writes −1 as a large number for none.
    if (!value || *value < 0 || *value >= static_cast<int64_t>(tokens_.size())) return {};
    return value;
  }
  std::string token(std::optional<int64_t> id) const {
    return id ? std::string(tokens_[static_cast<size_t>(*id)]) : "";
  }

 private:
  [[noreturn]] void refuse(std::string_view key, const std::string& what) const {
    throw FormatError(str("[", file_.where(), "] tokenizer.ggml.", key, ": ", what));
  }
  bool is(size_t i, int type) const { return !types_.empty() && types_[i] == type; }

  static Json sequence(const char* parts, const std::vector<Json>& list) {
    return {{"type", "Sequence"}, {parts, list}};
  }

  // What comes first in every file.
  Json start() const {
    Json added = Json::array();
    for (size_t i = 0; i < tokens_.size(); ++i) {
      bool special = is(i, control_type) || is(i, unknown_type);
      if (special || is(i, user_defined_type))
        added.push_back({{"id", i},
                         {"content", std::string(tokens_[i])},
                         {"single_word", false},
                         {"lstrip", false},
                         {"rstrip", false},
                         {"normalized", false},
                         {"special", special}});
    }
    return {{"version", "1.0"},
            {"truncation", nullptr},
            {"padding", nullptr},
            {"added_tokens", added},
            {"normalizer", nullptr}};
  }

  const PreTokenizer& pre_tokenizer(std::vector<std::string>& warnings) const {
    auto name = file_.text("tokenizer.ggml.pre").value_or("default");
    for (const auto& known : pre_tokenizers())
      if (known.name == name) return known;
    warnings.push_back(str("the pre-tokeniser ", quoted_name(name),
                           " is not known: words are cut as GPT-2 does, so the tokens of a text "
                           "may not be those that the model was trained on"));
    return pre_tokenizers()[0];
  }

  // Puts the token that begins a text in front where the file asks for it.
  Json post_processor(Json otherwise, bool bos_by_default) const {
    auto bos = id("bos"), eos = id("eos");
    bool first = bos && file_.boolean("tokenizer.ggml.add_bos_token").value_or(bos_by_default);
    bool last = eos && file_.boolean("tokenizer.ggml.add_eos_token").value_or(false);
    if (!first && !last) return otherwise;
    Json single = Json::array(), pair = Json::array(), special = Json::object();
    auto put = [&](Json& list, int64_t id, int segment) {
      auto text = token(id);
      list.push_back({{"SpecialToken", {{"id", text}, {"type_id", segment}}}});
      special[text] = {{"id", text}, {"ids", {id}}, {"tokens", {text}}};
    };
    for (int segment : {0, 1}) {
      for (Json* list : {&single, &pair}) {
        if (segment == 1 && list == &single) continue;
        if (first) put(*list, *bos, segment);
        list->push_back({{"Sequence", {{"id", segment == 0 ? "A" : "B"}, {"type_id", segment}}}});
        if (last) put(*list, *eos, segment);
      }
    }
    return {{"type", "TemplateProcessing"},
            {"single", single},
            {"pair", pair},
            {"special_tokens", special}};
  }

  Json model(Json unknown, bool byte_fallback, bool ignore_merges, Json merges) const {
    Json vocab = Json::object();
    // ordered_json looks for an equal key at each insertion, so its list is filled directly.
    auto& list = vocab.get_ref<Json::object_t&>();
    list.reserve(tokens_.size());
    for (size_t i = 0; i < tokens_.size(); ++i) list.emplace_back(std::string(tokens_[i]), Json(i));
    return {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", unknown},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", byte_fallback},
            {"byte_fallback", byte_fallback},
            {"ignore_merges", ignore_merges},
            {"vocab", std::move(vocab)},
            {"merges", std::move(merges)}};
  }

  // SentencePiece joins the two neighbours whose union scores best. As a list of merges: all ways
  // to make each token out of two, best token first, as transformers converts such models.
  Json merges_of_scores() const {
    auto scores = file_.numbers("tokenizer.ggml.scores").value_or(std::vector<double>());
    if (scores.size() != tokens_.size())
      refuse("scores",
             str("expected one for each of ", tokens_.size(), " tokens, got ", scores.size()));
    struct Merge {
      double score;
      size_t left, right;
    };
    std::vector<Merge> merges;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      // A token of the length of a line would have as many halves; none of a real model has.
      if (is(i, control_type) || tokens_[i].size() > 512) continue;
      size_t before = merges.size();
      for (size_t cut = 1; cut < tokens_[i].size(); ++cut) {
        if ((static_cast<unsigned char>(tokens_[i][cut]) & 0xc0) == 0x80) continue;
        auto left = ids_.find(tokens_[i].substr(0, cut));
        auto right = ids_.find(tokens_[i].substr(cut));
        if (left != ids_.end() && right != ids_.end())
          merges.push_back({scores[i], left->second, right->second});
      }
      std::sort(merges.begin() + static_cast<int64_t>(before), merges.end(),
                [](const Merge& a, const Merge& b) {
                  return std::pair(a.left, a.right) < std::pair(b.left, b.right);
                });
    }
    // Not a number: as if last.
    for (Merge& merge : merges)
      if (!(merge.score == merge.score)) merge.score = -std::numeric_limits<double>::infinity();
    std::ranges::stable_sort(merges, std::ranges::greater(), &Merge::score);
    Json list = Json::array();
    for (const Merge& merge : merges)
      list.push_back(str(tokens_[merge.left], " ", tokens_[merge.right]));
    return list;
  }

  const GgufFile& file_;
  Texts tokens_;
  std::vector<double> types_;
  std::unordered_map<std::string_view, size_t> ids_;
};

}  // namespace

GgufTokenizer tokenizer_from_gguf(const GgufFile& file, int64_t vocab_size) {
  GgufTokenizer result;
  auto kind = file.text("tokenizer.ggml.model").value_or("");
  if (kind != "gpt2" && kind != "llama") {
    result.warnings.push_back(kind.empty() ? "the file has no tokenizer"
                                           : str("its tokenizer is of the kind ", quoted_name(kind),
                                                 ", which is not converted"));
    return result;
  }
  TokenizerReader in(file, vocab_size);
  Json json = kind == "gpt2" ? in.byte_level(result.warnings) : in.sentence_piece();
  result.tokenizer_json = json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  result.ids.bos = in.id("bos");
  result.ids.pad = in.id("padding");
  if (auto eos = in.id("eos")) result.ids.eos = {*eos};
  if (auto eot = in.id("eot"); eot && result.ids.eos != std::vector{*eot})
    result.ids.eos.push_back(*eot);

  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"clean_up_tokenization_spaces", false}};
  auto name = [&](const char* key, std::optional<int64_t> id) {
    if (id) config[key] = in.token(id);
  };
  name("bos_token", result.ids.bos);
  name("eos_token", in.id("eos"));
  name("pad_token", result.ids.pad);
  name("unk_token", in.id("unknown"));
  if (auto text = file.text("tokenizer.chat_template")) config["chat_template"] = *text;
  result.tokenizer_config_json = config.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  return result;
}

}  // namespace anneal
