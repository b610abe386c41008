#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/data/byte_span.hpp"

namespace anneal {

namespace bpe {
class WordCounts;
}
namespace tokenizing {
class Pipeline;
}

// The largest number of tokens that BpeTrainer makes.
inline constexpr int32_t kMaxTrainedVocabulary = 1 << 20;

struct EncodeOptions {
  bool read_special = false;  // the strings of special tokens become those tokens
  // The special tokens that the tokenizer's post-processor puts around a text, such as <s>, are.
  bool add_special = false;
};

// A tokenizer: byte-level BPE as GPT-2 has it, or what a tokenizer.json of Hugging Face's describes
// (docs/tokenizers.md says what of it is read).
//
// In byte-level BPE a text is cut into words by a pattern, and each word's bytes are joined by the
// merges in the order in which they were learned. Every byte is a token, so every byte string,
// valid UTF-8 or not, can be encoded, and decode(encode(x)) == x unless a normalizer changes the
// text.
//
// A value: immutable, cheap to copy, safe to use from any number of threads.
class Tokenizer {
 public:
  // "byte": ids 0..255 are the bytes, 256 is <|endoftext|>; no merges.
  static Tokenizer bytes();

  // Reads a tokenizer.json in Hugging Face's format, or the one in a directory, or a directory's
  // vocab.json and merges.txt as GPT-2 has them. Throws Error if it can't be read, FormatError if
  // it is malformed or needs what is not supported. The settings `truncation` and `padding` are a
  // caller's and are ignored.
  static Tokenizer load(const std::filesystem::path& path);
  // The same from a string; `where` names it in errors.
  static Tokenizer from_json(std::string_view json, const std::string& where);

  // The ids of `text`. Added tokens that are not special are always recognised; the strings of
  // special tokens are ordinary text unless the options say otherwise. Bytes that are no valid
  // UTF-8 become the tokens of those bytes, or else the unknown token.
  std::vector<int32_t> encode(std::string_view text, EncodeOptions options = {}) const;
  // The same, and for each id the bytes of `text` that it stands for: none for those of the
  // post-processor and for a space that the tokenizer puts in front. Around an unknown token, all
  // that stands there in the word. Throws Error if the tokenizer changes this text in other ways
  // than by normal forms (where all tokens of what a character and its marks become stand for these
  // together) or by ▁ for spaces.
  struct PlacedTokens {
    std::vector<int32_t> ids;
    std::vector<ByteSpan> places;
  };
  PlacedTokens encode_placed(std::string_view text, EncodeOptions options = {}) const;

  // The bytes of all tokens, joined, without what the tokenizer puts in front of a text, such as a
  // space. Throws Error for an id that is not in the vocabulary.
  std::string decode(std::span<const int32_t> ids, bool skip_special = false) const;

  // The bytes of one token inside a text, which need not be whole UTF-8 characters; of an added
  // token its text. Valid as long as a copy of this tokenizer lives. Throws Error for an id not in
  // the vocabulary.
  std::string_view token_bytes(int32_t id) const;

  // Number of ids, added tokens included; ids are 0 … vocab_size() − 1.
  int32_t vocab_size() const;
  // False also for ids that are not in the vocabulary.
  bool is_special(int32_t id) const;
  // The special token that ends a document: <|endoftext|>, or else <|end_of_text|>, </s> or <eos>.
  std::optional<int32_t> end_of_text() const;

  // The largest offset > 0 at which `text` can be cut so that the ids of the two parts are the ids
  // of the whole, whatever follows `text`; 0 if there is none, which some tokenizers never have.
  // For texts read in blocks.
  size_t last_cut(std::string_view text) const;

  // A tokenizer.json in Hugging Face's format. Equal tokenizers of byte-level BPE by GPT-2's
  // pattern give equal bytes; others that were read give their file.
  std::string to_json() const;
  // hash64 of to_json().
  uint64_t hash() const;

 private:
  friend class BpeTrainer;
  explicit Tokenizer(std::shared_ptr<const tokenizing::Pipeline> pipeline);
  std::shared_ptr<const tokenizing::Pipeline> pipeline_;
};

struct BpeTrainerOptions {
  // Tokens to make: 256 bytes, the special tokens and as many merges as that leaves.
  int32_t vocab_size = 0;
  // They get the last ids, in this order.
  std::vector<std::string> special_tokens = {"<|endoftext|>"};
  // Threads that count words; 0: all cores. The result does not depend on it.
  int threads = 0;
};

// Learns a byte-level BPE vocabulary (Sennrich et al., "Neural Machine Translation of Rare Words
// with Subword Units", 2016): joins the most frequent pair of neighbouring tokens inside words,
// again and again. Among equally frequent pairs the one with the smaller left id, then right id, is
// taken, where ids 0..255 are the bytes in GPT-2's order and later ids are in the order of
// learning.
class BpeTrainer {
 public:
  // Throws UsageError if vocab_size is below 256 + special tokens or above kMaxTrainedVocabulary,
  // or if a special token is empty, repeated, not UTF-8 or a single byte-level character.
  explicit BpeTrainer(BpeTrainerOptions options);
  ~BpeTrainer();
  BpeTrainer(BpeTrainer&&) noexcept;
  BpeTrainer& operator=(BpeTrainer&&) noexcept;

  // Counts the words of one text, such as a document or a part of one cut at last_word_cut(). Keeps
  // the counts of distinct words and at most a few MiB of text.
  void feed(std::string_view text);

  // Learns the vocabulary, exactly vocab_size tokens. Throws UsageError if the text is too small
  // for that. Call it once, last.
  Tokenizer train();

 private:
  void flush();
  void count(std::span<const std::string_view> texts);

  BpeTrainerOptions options_;
  std::vector<bpe::WordCounts> counts_;  // one of each thread
  std::string pending_;                  // texts not counted yet
  std::vector<size_t> pending_ends_;
};

// The largest offset > 0 at which `text` can be cut without changing how the whole, whatever
// follows `text`, is split into words by GPT-2's pattern; 0 if there is none.
size_t last_word_cut(std::string_view text);

}  // namespace anneal
