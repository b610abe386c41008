#include <algorithm>
#include <atomic>
#include <thread>

#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer.hpp"
#include "anneal/data/tokenizer/byte_level.hpp"
#include "anneal/data/tokenizer/learn_merges.hpp"
#include "anneal/data/tokenizer/pipeline.hpp"
#include "anneal/data/tokenizer/utf8.hpp"
#include "anneal/data/tokenizer/word_counts.hpp"

namespace anneal {
namespace {

// Texts are collected up to this size before threads count their words.
constexpr size_t kPendingBytes = size_t{8} << 20;
// Longer texts are cut, so that all threads have work.
constexpr size_t kPartBytes = size_t{256} << 10;

void check_special_tokens(const std::vector<std::string>& tokens) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string& token = tokens[i];
    std::string where = str("[tokenizer.special_tokens[", i, "]] ");
    if (token.empty()) throw UsageError(where + "is empty; expected a text such as <|endoftext|>");
    if (bpe::valid_utf8_prefix(token) != token.size())
      throw UsageError(where + "is not valid UTF-8");
    if (std::find(tokens.begin(), tokens.begin() + i, token) != tokens.begin() + i)
      throw UsageError(where + "\"" + token + "\" occurs twice");
    auto bytes = bpe::from_byte_level(token);
    if (bytes && bytes->size() == 1)
      throw UsageError(where + "\"" + token +
                       "\" is also how a byte is written (use a longer text)");
  }
}

void append_parts(std::string_view text, std::vector<std::string_view>& parts) {
  while (text.size() > kPartBytes) {
    size_t cut = last_word_cut(text.substr(0, kPartBytes));
    if (cut == 0) cut = last_word_cut(text);
    if (cut == 0) break;
    parts.push_back(text.substr(0, cut));
    text.remove_prefix(cut);
  }
  if (!text.empty()) parts.push_back(text);
}

}  // namespace

BpeTrainer::BpeTrainer(BpeTrainerOptions options) : options_(std::move(options)) {
  check_special_tokens(options_.special_tokens);
  int64_t least = 256 + static_cast<int64_t>(options_.special_tokens.size());
  if (options_.vocab_size < least || options_.vocab_size > kMaxTrainedVocabulary)
    throw UsageError(str("[tokenizer.vocab_size] expected ", least, " (256 bytes and ", least - 256,
                         " special tokens) to ", kMaxTrainedVocabulary, ", got ",
                         options_.vocab_size));
  if (options_.threads < 0 || options_.threads > 4096)
    throw UsageError(
        str("[tokenizer.threads] expected 0 (all cores) to 4096, got ", options_.threads));
  if (options_.threads == 0)
    options_.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  counts_.resize(options_.threads);
}

BpeTrainer::~BpeTrainer() = default;
BpeTrainer::BpeTrainer(BpeTrainer&&) noexcept = default;
BpeTrainer& BpeTrainer::operator=(BpeTrainer&&) noexcept = default;

void BpeTrainer::feed(std::string_view text) {
  if (text.size() >= kPendingBytes) return count({&text, 1});
  pending_.append(text);
  pending_ends_.push_back(pending_.size());
  if (pending_.size() >= kPendingBytes) flush();
}

void BpeTrainer::flush() {
  std::vector<std::string_view> texts;
  size_t begin = 0;
  for (size_t end : pending_ends_) {
    texts.push_back(std::string_view(pending_).substr(begin, end - begin));
    begin = end;
  }
  count(texts);
  pending_.clear();
  pending_ends_.clear();
}

void BpeTrainer::count(std::span<const std::string_view> texts) {
  std::vector<std::string_view> parts;
  for (std::string_view text : texts) append_parts(text, parts);
  std::atomic<size_t> next{0};
  std::vector<std::exception_ptr> errors(counts_.size());
  auto work = [&](size_t thread) {
    try {
      for (size_t i; (i = next++) < parts.size();) counts_[thread].add_text(parts[i]);
    } catch (...) {
      errors[thread] = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (size_t t = 1; t < std::min(counts_.size(), parts.size()); ++t)
      others.emplace_back(work, t);
    work(0);
  }
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
}

Tokenizer BpeTrainer::train() {
  flush();
  bpe::WordCounts words = std::move(counts_[0]);
  for (size_t t = 1; t < counts_.size(); ++t)
    for (size_t w = 0; w < counts_[t].size(); ++w)
      words.add(counts_[t].word(w), counts_[t].count(w));
  counts_.clear();

  const std::vector<std::string>& special = options_.special_tokens;
  size_t wanted = static_cast<size_t>(options_.vocab_size) - special.size();
  // A learned token may not be written like a special one: they share the file's vocabulary.
  std::vector<std::string> forbidden;
  bool all_plain = true;
  for (const std::string& token : special) {
    auto bytes = bpe::from_byte_level(token);
    if (bytes) forbidden.push_back(*bytes);
    all_plain &= bytes == token;
  }
  bpe::LearnedMerges learned = bpe::learn_merges(words, wanted, forbidden);
  if (learned.tokens.size() < wanted)
    throw UsageError(str("[tokenizer.vocab_size] the text is too small for ", options_.vocab_size,
                         " tokens: it gives ", learned.tokens.size() + special.size(),
                         " (use that size or less, or more text)"));

  bpe::VocabularySpec spec;
  spec.tokens = std::move(learned.tokens);
  spec.merges = std::move(learned.merges);
  // As in GPT-2's file, special tokens are also the model's, unless they would read as other bytes
  // there.
  for (const std::string& token : special) {
    spec.added.push_back({static_cast<int32_t>(wanted + spec.added.size()), token, true, false});
    if (all_plain) spec.tokens.push_back(token);
  }
  return Tokenizer(
      std::make_shared<tokenizing::Pipeline>(tokenizing::byte_level_parts(std::move(spec))));
}

}  // namespace anneal
