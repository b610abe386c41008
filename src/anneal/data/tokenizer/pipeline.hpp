#pragma once

#include <memory>
#include <optional>

#include "anneal/data/tokenizer/added_tokens.hpp"
#include "anneal/data/tokenizer/bpe.hpp"
#include "anneal/data/tokenizer/decoder.hpp"
#include "anneal/data/tokenizer/model.hpp"
#include "anneal/data/tokenizer/normalizer.hpp"
#include "anneal/data/tokenizer/origin.hpp"
#include "anneal/data/tokenizer/post_processor.hpp"
#include "anneal/data/tokenizer/pre_tokenizer.hpp"

namespace anneal::tokenizing {

// What a tokenizer consists of.
struct Parts {
  std::vector<Normalizer> normalizers;
  bool only_unicode = true;  // they are normal forms alone
  PreTokenizers pre_tokenizers;
  std::unique_ptr<Model> model;
  std::vector<AddedToken> added;  // by id
  PostProcessor post_processor;
  Decoder decoder;  // of a byte-level model there is nothing to do
  // The file, unless write_tokenizer_json can write it from the model and the added tokens.
  std::string json;
};

// The parts of a tokenizer that is byte-level BPE by GPT-2's pattern and no more.
Parts byte_level_parts(bpe::VocabularySpec spec);

// A tokenizer, immutable: added tokens are cut out of the text, the rest is normalized, cut into
// words, and each word becomes tokens.
class Pipeline {
 public:
  explicit Pipeline(Parts parts);
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  const Parts& parts() const { return parts_; }
  // Number of ids, added tokens included.
  int32_t size() const { return static_cast<int32_t>(special_.size()); }
  bool special(int32_t id) const { return special_[id]; }
  // The bytes that a token stands for.
  const std::string& token(int32_t id) const {
    size_t model = bytes().size(), i = static_cast<size_t>(id);
    return i < model ? bytes()[i] : added_bytes_[i - model];
  }

  // Appends the ids of a text. Special tokens are found in it only if `with_special`; the
  // post-processor's are put around it only if `around`. With `places`, the bytes that each stands
  // for are appended there; throws Error if the normalizers don't let that be told.
  void encode(std::string_view text, bool with_special, bool around, std::vector<int32_t>& ids,
              std::vector<Place>* places = nullptr) const;
  std::string decode(std::span<const int32_t> ids, bool skip_special) const;

  // Tokenizer::last_cut.
  size_t last_cut(std::string_view text) const;

 private:
  const std::vector<std::string>& bytes() const {
    return parts_.pre_tokenizers.byte_level ? parts_.model->tokens() : bytes_;
  }
  const std::string& text_of(int32_t id) const;
  std::string normalize(std::string_view text) const;
  // Where tokens go, and where the text that they are made of comes from.
  struct Sink {
    std::vector<int32_t>& ids;
    std::vector<Place>* places;
    Origin origin{0};
    void add(int32_t id, Place place) {
      ids.push_back(id);
      if (places) places->push_back(origin.of(place));
    }
  };
  void encode_valid(std::string_view text, bool at_start, bool with_special, Sink sink) const;
  void encode_normalized(std::string_view text, bool at_start, bool with_special, Sink sink) const;
  void encode_words(std::string_view text, bool at_start, Sink sink) const;
  // The word stands at this offset of the text that the sink's origin is of.
  void encode_word(std::string_view word, Sink& sink, std::ptrdiff_t at) const;
  Origin origin_of(std::string_view text, std::string_view normalized) const;
  bool cut_spares_added(std::string_view text, size_t at) const;

  Parts parts_;
  AddedTokens raw_added_, normalized_added_;
  std::vector<bool> special_;
  std::vector<std::string> bytes_;        // of the model's tokens, unless it is byte-level
  std::vector<std::string> added_bytes_;  // of the added tokens that the model lacks
  size_t first_outside_ = 0;              // the first of those in parts_.added
  bool direct_ = false;  // nothing but GPT-2's pattern: bytes go through as they are
  bool cut_ = false;     // a text can be cut at a space
};

}  // namespace anneal::tokenizing
