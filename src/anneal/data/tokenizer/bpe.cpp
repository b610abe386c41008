#include "anneal/data/tokenizer/bpe.hpp"

#include <algorithm>

#include "anneal/data/tokenizer/utf8.hpp"

namespace anneal::bpe {

Bpe::Bpe(VocabularySpec spec)
    : spec_(std::move(spec)),
      map_(spec_.tokens),
      merges_(spec_.merges),
      fallback_(byte_tokens(map_, spec_.tokens)) {
  for (int b = 0; b < 256; ++b) {
    char byte = static_cast<char>(b);
    byte_ids_[b] = map_.find({&byte, 1}, spec_.tokens);
    every_byte_ &= byte_ids_[b] >= 0;
  }
  whole_.resize(spec_.tokens.size(), spec_.ignore_merges);
  std::vector<int32_t> ids;
  for (size_t id = 0; id < spec_.tokens.size() && !spec_.ignore_merges; ++id) {
    ids.clear();
    merge(spec_.tokens[id], ids);
    whole_[id] = ids.size() == 1 && ids[0] == static_cast<int32_t>(id);
  }
}

void Bpe::encode_word(std::string_view word, std::vector<int32_t>& ids) const {
  int32_t id = map_.find(word, spec_.tokens);
  if (id >= 0 && whole_[id]) {
    ids.push_back(id);
  } else {
    merge(word, ids);
  }
}

void Bpe::encode_byte(unsigned char byte, std::vector<int32_t>& ids) const {
  int32_t id = spec_.byte_level ? byte_ids_[byte] : spec_.byte_fallback ? fallback_[byte] : -1;
  if (id < 0) id = spec_.unknown;
  if (id >= 0) ids.push_back(id);
}

// Collects the parts that a word begins as.
class Bpe::Parts {
 public:
  explicit Parts(const Bpe& bpe) : bpe_(bpe) {}

  void add(std::string_view part, int32_t id) {
    if (id >= 0) {
      flush();
      ids_.push_back(id);
    } else if (!bpe_.spec_.byte_fallback || !add_bytes(part)) {
      // As in Hugging Face's library, an unknown part waits for what follows it, so that tokens of
      // bytes pass it by.
      if (pending_ && !bpe_.spec_.fuse_unknown) flush();
      pending_ = bpe_.spec_.unknown >= 0;
    }
  }

  const std::vector<int32_t>& finish() {
    flush();
    return ids_;
  }

 private:
  void flush() {
    if (pending_) ids_.push_back(bpe_.spec_.unknown);
    pending_ = false;
  }

  bool add_bytes(std::string_view part) {
    auto token = [&](char byte) { return bpe_.fallback_[static_cast<unsigned char>(byte)]; };
    if (!std::all_of(part.begin(), part.end(), [&](char byte) { return token(byte) >= 0; }))
      return false;
    for (char byte : part) ids_.push_back(token(byte));
    return true;
  }

  const Bpe& bpe_;
  std::vector<int32_t> ids_;
  bool pending_ = false;
};

void Bpe::merge(std::string_view word, std::vector<int32_t>& ids) const {
  if (spec_.byte_level && every_byte_ && word.size() <= kShortWord) {
    int32_t parts[kShortWord];
    for (size_t i = 0; i < word.size(); ++i)
      parts[i] = byte_ids_[static_cast<unsigned char>(word[i])];
    return merges_.apply({parts, word.size()}, ids);
  }
  Parts parts(*this);
  for (size_t at = 0; at < word.size();) {
    size_t size =
        spec_.byte_level ? 1 : static_cast<size_t>(std::max(1, utf8_char(word, at).bytes));
    std::string_view part = word.substr(at, size);
    int32_t id =
        size == 1 ? byte_ids_[static_cast<unsigned char>(part[0])] : map_.find(part, spec_.tokens);
    parts.add(part, id);
    at += size;
  }
  merges_.apply(parts.finish(), ids);
}

}  // namespace anneal::bpe
