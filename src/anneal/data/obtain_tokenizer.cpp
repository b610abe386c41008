#include "anneal/data/obtain_tokenizer.hpp"

#include <charconv>
#include <filesystem>

#include "anneal/base/error.hpp"
#include "anneal/data/documents.hpp"
#include "anneal/data/order.hpp"
#include "anneal/data/tokenizer.hpp"

namespace anneal {
namespace {

Tokenizer load_tokenizer(const std::string& path) {
  if (path.empty() || !std::filesystem::exists(path))
    throw UsageError(
        str("[data.tokenizer] expected \"bpe:N\", \"byte\", a tokenizer.json or a "
            "model directory, got \"",
            path, "\", and there is no such file"));
  try {
    return Tokenizer::load(path);
  } catch (const Error& error) {
    throw UsageError(str("[data.tokenizer] ", error.what()));
  }
}

}  // namespace

int64_t bpe_size(const std::string& tokenizer) {
  constexpr std::string_view prefix = "bpe:";
  constexpr int64_t smallest = 257;  // the bytes and the end of text
  if (!tokenizer.starts_with(prefix)) return 0;
  const char* begin = tokenizer.data() + prefix.size();
  const char* end = tokenizer.data() + tokenizer.size();
  int64_t size = 0;
  auto [stop, error] = std::from_chars(begin, end, size);
  if (error != std::errc{} || stop != end || size < smallest || size > kMaxTrainedVocabulary)
    throw UsageError(str("[data.tokenizer] expected bpe:N with N from ", smallest, " to ",
                         kMaxTrainedVocabulary, ", got \"", tokenizer, "\""));
  return size;
}

std::string tokenizer_hash_text(const Tokenizer& tokenizer) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  uint64_t hash = tokenizer.hash();
  for (int shift = 60; shift >= 0; shift -= 4) out += digits[(hash >> shift) & 15];
  return out;
}

std::shared_ptr<const Tokenizer> obtain_tokenizer(
    const DataConfig& config, const DataSummary& data, int64_t seed, int threads,
    const std::function<void(const PrepareProgress&)>& progress) {
  if (config.tokenizer == "byte") return std::make_shared<Tokenizer>(Tokenizer::bytes());
  int64_t size = bpe_size(config.tokenizer);
  if (size == 0) return std::make_shared<Tokenizer>(load_tokenizer(config.tokenizer));

  double fraction = config.validation_files.empty() ? config.validation_fraction : 0;
  BpeTrainerOptions options;
  options.vocab_size = static_cast<int32_t>(size);
  options.threads = threads;
  BpeTrainer trainer(options);
  PrepareProgress now{"training the tokenizer", 0, data.bytes};
  auto feed = [&](int64_t, std::string_view text, bool) {
    trainer.feed(text);
    now.bytes_done += static_cast<int64_t>(text.size());
    if (progress) progress(now);
  };
  auto wanted = [&](int64_t document) {
    return !is_validation_document(static_cast<uint64_t>(seed), document, fraction);
  };
  for_each_document_piece(data.train, last_word_cut, feed, wanted);
  return std::make_shared<Tokenizer>(trainer.train());
}

}  // namespace anneal
