#include "anneal/data/tokenizer.hpp"

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/base/rng.hpp"
#include "anneal/data/tokenizer/json.hpp"
#include "anneal/data/tokenizer/vocabulary.hpp"

namespace anneal {
namespace {

// Ten times the largest tokenizer.json in use.
constexpr int64_t kLargestFile = int64_t{256} << 20;

}  // namespace

Tokenizer::Tokenizer(std::shared_ptr<const bpe::Vocabulary> vocabulary)
    : vocabulary_(std::move(vocabulary)) {}

Tokenizer Tokenizer::bytes() {
  bpe::VocabularySpec spec;
  for (int b = 0; b < 256; ++b) spec.tokens.emplace_back(1, static_cast<char>(b));
  spec.tokens.push_back("<|endoftext|>");
  spec.added.push_back({256, "<|endoftext|>", true, false});
  return Tokenizer(std::make_shared<bpe::Vocabulary>(std::move(spec)));
}

Tokenizer Tokenizer::load(const std::filesystem::path& path) {
  std::error_code ignored;
  auto file = std::filesystem::is_directory(path, ignored) ? path / "tokenizer.json" : path;
  return from_json(read_file(file, kLargestFile), file.string());
}

Tokenizer Tokenizer::from_json(std::string_view json, const std::string& where) {
  return Tokenizer(std::make_shared<bpe::Vocabulary>(bpe::read_tokenizer_json(json, where)));
}

std::vector<int32_t> Tokenizer::encode(std::string_view text) const {
  std::vector<int32_t> ids;
  vocabulary_->encode(text, false, ids);
  return ids;
}

std::vector<int32_t> Tokenizer::encode_with_special(std::string_view text) const {
  std::vector<int32_t> ids;
  vocabulary_->encode(text, true, ids);
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string text;
  for (int32_t id : ids) {
    std::string_view bytes = token_bytes(id);
    if (!skip_special || !vocabulary_->special(id)) text += bytes;
  }
  return text;
}

std::string_view Tokenizer::token_bytes(int32_t id) const {
  if (id < 0 || id >= vocab_size())
    throw Error(str("[tokenizer] expected token ids from 0 to ", vocab_size() - 1, ", got ", id,
                    " (is this the tokenizer of the model or data?)"));
  return vocabulary_->token(id);
}

int32_t Tokenizer::vocab_size() const { return vocabulary_->size(); }

bool Tokenizer::is_special(int32_t id) const {
  return id >= 0 && id < vocab_size() && vocabulary_->special(id);
}

std::optional<int32_t> Tokenizer::end_of_text() const {
  for (const char* name : {"<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>"})
    for (const bpe::AddedToken& token : vocabulary_->spec().added)
      if (token.special && token.text == name) return token.id;
  return std::nullopt;
}

size_t Tokenizer::last_cut(std::string_view text) const {
  size_t cut = last_word_cut(text);
  while (cut > 0 && !vocabulary_->cut_spares_added(text, cut))
    cut = last_word_cut(text.substr(0, cut));
  return cut;
}

std::string Tokenizer::to_json() const { return bpe::write_tokenizer_json(vocabulary_->spec()); }

uint64_t Tokenizer::hash() const { return hash64(to_json()); }

}  // namespace anneal
