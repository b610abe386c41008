#include "anneal/data/tokenizer.hpp"

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/base/rng.hpp"
#include "anneal/data/tokenizer/json.hpp"
#include "anneal/data/tokenizer/pipeline.hpp"

namespace anneal {
namespace {

// Ten times the largest tokenizer.json in use.
constexpr int64_t kLargestFile = int64_t{256} << 20;

}  // namespace

using tokenizing::Pipeline;

Tokenizer::Tokenizer(std::shared_ptr<const Pipeline> pipeline) : pipeline_(std::move(pipeline)) {}

Tokenizer Tokenizer::bytes() {
  bpe::VocabularySpec spec;
  for (int b = 0; b < 256; ++b) spec.tokens.emplace_back(1, static_cast<char>(b));
  spec.tokens.push_back("<|endoftext|>");
  spec.added.push_back({256, "<|endoftext|>", true, false});
  return Tokenizer(std::make_shared<Pipeline>(tokenizing::byte_level_parts(std::move(spec))));
}

Tokenizer Tokenizer::load(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored))
    return from_json(read_file(path, kLargestFile), path.string());
  auto file = path / "tokenizer.json", vocab = path / "vocab.json", merges = path / "merges.txt";
  using std::filesystem::exists;
  if (exists(file, ignored) || !exists(vocab, ignored) || !exists(merges, ignored))
    return from_json(read_file(file, kLargestFile), file.string());
  return Tokenizer(std::make_shared<Pipeline>(tokenizing::read_gpt2_files(
      read_file(vocab, kLargestFile), read_file(merges, kLargestFile), path.string())));
}

Tokenizer Tokenizer::from_json(std::string_view json, const std::string& where) {
  return Tokenizer(std::make_shared<Pipeline>(tokenizing::read_tokenizer_json(json, where)));
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  std::vector<int32_t> ids;
  pipeline_->encode(text, options.read_special, options.add_special, ids);
  return ids;
}

Tokenizer::PlacedTokens Tokenizer::encode_placed(std::string_view text,
                                                 EncodeOptions options) const {
  PlacedTokens tokens;
  pipeline_->encode(text, options.read_special, options.add_special, tokens.ids, &tokens.places);
  return tokens;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  for (int32_t id : ids) (void)token_bytes(id);
  return pipeline_->decode(ids, skip_special);
}

std::string_view Tokenizer::token_bytes(int32_t id) const {
  if (id < 0 || id >= vocab_size())
    throw Error(str("[tokenizer] expected token ids from 0 to ", vocab_size() - 1, ", got ", id,
                    " (is this the tokenizer of the model or data?)"));
  return pipeline_->token(id);
}

int32_t Tokenizer::vocab_size() const { return pipeline_->size(); }

bool Tokenizer::is_special(int32_t id) const {
  return id >= 0 && id < vocab_size() && pipeline_->special(id);
}

std::optional<int32_t> Tokenizer::end_of_text() const {
  for (const char* name : {"<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>"})
    for (const bpe::AddedToken& token : pipeline_->parts().added)
      if (token.special && token.text == name) return token.id;
  return std::nullopt;
}

size_t Tokenizer::last_cut(std::string_view text) const { return pipeline_->last_cut(text); }

std::string Tokenizer::to_json() const {
  const tokenizing::Parts& parts = pipeline_->parts();
  if (!parts.json.empty()) return parts.json;
  const auto& model = dynamic_cast<const bpe::Bpe&>(*parts.model);
  return tokenizing::write_tokenizer_json(model.spec(), parts.added);
}

uint64_t Tokenizer::hash() const { return hash64(to_json()); }

}  // namespace anneal
