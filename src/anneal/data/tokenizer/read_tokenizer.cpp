#include <algorithm>

#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer/json.hpp"
#include "anneal/data/tokenizer/read_model.hpp"

namespace anneal::tokenizing {
namespace {

// Files of all families have fewer than ten.
constexpr size_t kMostSteps = 64;

std::unique_ptr<Model> read_model(const JsonValue& root, bool byte_level) {
  JsonValue model = root.object("model");
  std::string type = model.find("type") ? model.text("type") : "BPE";
  if (type == "BPE") return std::make_unique<bpe::Bpe>(read_bpe(model, byte_level));
  if (type == "Unigram" && !byte_level) return std::make_unique<Unigram>(read_unigram(model));
  model.find("type")->fail(
      str("expected \"BPE\"", byte_level ? "" : " or \"Unigram\"", ", got ", shown(type),
          byte_level ? "; the pre-tokenizer ByteLevel needs BPE" : "; no other is supported"));
}

Decoder read_decoder(const JsonValue& root, bool byte_level) {
  JsonValue value = root.object("decoder");
  Decoder decoder = Decoder::read(value);
  if (decoder.byte_level() != byte_level)
    value.fail(byte_level ? "expected ByteLevel, as the pre-tokenizer is"
                          : "ByteLevel needs the pre-tokenizer ByteLevel");
  return decoder;
}

// Whether write_tokenizer_json writes all that there is.
bool is_plain(const JsonValue& root, const Parts& parts) {
  auto post = root.find("post_processor");
  return !root.find("normalizer") && parts.pre_tokenizers.gpt2_alone &&
         root.object("pre_tokenizer").text("type") == "ByteLevel" &&
         root.object("decoder").text("type") == "ByteLevel" &&
         (!post || post->text("type") == "ByteLevel") &&
         std::none_of(parts.added.begin(), parts.added.end(), [](const AddedToken& token) {
           return token.single_word || token.lstrip || token.rstrip;
         });
}

}  // namespace

Parts read_tokenizer_json(std::string_view json, const std::string& where) {
  JsonValue root = JsonValue::parse(json, where);
  Parts parts;
  parts.normalizers = read_normalizers(root.find("normalizer"), parts.only_unicode);
  parts.pre_tokenizers = read_pre_tokenizers(root.find("pre_tokenizer"));
  if (parts.normalizers.size() + parts.pre_tokenizers.steps.size() > kMostSteps)
    root.fail(str("has more than ", kMostSteps, " normalizers and pre-tokenizers"));
  bool byte_level = parts.pre_tokenizers.byte_level;
  parts.decoder = read_decoder(root, byte_level);
  parts.model = read_model(root, byte_level);
  const auto& tokens = parts.model->tokens();
  parts.added = read_added_tokens(root, tokens, byte_level);
  size_t outside = static_cast<size_t>(std::count_if(
      parts.added.begin(), parts.added.end(),
      [&](const AddedToken& token) { return static_cast<size_t>(token.id) >= tokens.size(); }));
  parts.post_processor = read_post_processor(root.find("post_processor"),
                                             static_cast<int64_t>(tokens.size() + outside));
  if (!is_plain(root, parts)) parts.json = json;
  return parts;
}

Parts read_gpt2_files(std::string_view vocab, std::string_view merges, const std::string& where) {
  bpe::VocabularySpec spec =
      read_bpe_files(JsonValue::parse(vocab, where + "/vocab.json"), merges, where + "/merges.txt");
  constexpr std::string_view end = "<|endoftext|>";
  auto found = std::find(spec.tokens.begin(), spec.tokens.end(), end);
  if (found != spec.tokens.end())
    spec.added.push_back(
        {static_cast<int32_t>(found - spec.tokens.begin()), std::string(end), true, false});
  return byte_level_parts(std::move(spec));
}

}  // namespace anneal::tokenizing
