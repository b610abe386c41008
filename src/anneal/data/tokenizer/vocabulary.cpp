#include "anneal/data/tokenizer/vocabulary.hpp"

#include <algorithm>

#include "anneal/base/error.hpp"
#include "anneal/base/rng.hpp"
#include "anneal/data/tokenizer/splitter.hpp"

namespace anneal::bpe {

TokenMap::TokenMap(std::span<const std::string> tokens) {
  size_t size = 64;
  while (size < 2 * tokens.size()) size *= 2;
  slots_.resize(size);
  for (size_t id = 0; id < tokens.size(); ++id) {
    uint64_t hash = hash64(tokens[id]);
    size_t at = hash & (size - 1);
    while (slots_[at].id >= 0) at = (at + 1) & (size - 1);
    slots_[at] = {static_cast<uint32_t>(hash >> 32), static_cast<int32_t>(id)};
  }
}

int32_t TokenMap::find(std::string_view bytes, std::span<const std::string> tokens) const {
  uint64_t hash = hash64(bytes);
  uint32_t tag = static_cast<uint32_t>(hash >> 32);
  for (size_t mask = slots_.size() - 1, at = hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.id < 0 || (slot.tag == tag && tokens[slot.id] == bytes)) return slot.id;
  }
}

Vocabulary::Vocabulary(VocabularySpec spec)
    : spec_(std::move(spec)), map_(spec_.tokens), ranks_(spec_.merges.size()) {
  for (int b = 0; b < 256; ++b) {
    char byte = static_cast<char>(b);
    byte_ids_[b] = map_.find({&byte, 1}, spec_.tokens);
    ANNEAL_ASSERT(byte_ids_[b] >= 0, "no token for byte ", b);
  }
  for (size_t i = 0; i < spec_.merges.size(); ++i)
    ranks_[pair_key(spec_.merges[i].left, spec_.merges[i].right)] = static_cast<int32_t>(i);

  whole_.resize(spec_.tokens.size(), spec_.ignore_merges);
  std::vector<int32_t> ids;
  for (size_t id = 0; id < spec_.tokens.size() && !spec_.ignore_merges; ++id) {
    ids.clear();
    encode_word(spec_.tokens[id], ids);
    whole_[id] = ids.size() == 1 && ids[0] == static_cast<int32_t>(id);
  }

  special_.resize(spec_.tokens.size());
  for (const AddedToken& token : spec_.added) {
    size_t id = static_cast<size_t>(token.id);
    if (id < spec_.tokens.size()) {
      ++first_outside_;
    } else {
      special_.push_back(false);
    }
    ANNEAL_ASSERT(id < special_.size() && this->token(token.id) == token.text, "added token ",
                  token.id, " is out of order or differs from the model's");
    special_[id] = token.special;
    added_by_byte_[static_cast<unsigned char>(token.text[0])].push_back(&token);
    any_added_ = true;
    any_ordinary_added_ |= !token.special;
  }
  for (auto& list : added_by_byte_)
    std::stable_sort(list.begin(), list.end(), [](const AddedToken* a, const AddedToken* b) {
      return a->text.size() > b->text.size();
    });
}

int32_t Vocabulary::rank(int32_t left, int32_t right) const {
  const int32_t* found = ranks_.find(pair_key(left, right));
  return found ? *found : kNoRank;
}

void Vocabulary::encode(std::string_view text, bool with_special, std::vector<int32_t>& ids) const {
  bool look = with_special ? any_added_ : any_ordinary_added_;
  encode_from(look ? Pass::not_normalized : Pass::words, text, with_special, ids);
}

const AddedToken* Vocabulary::added_at(Pass pass, std::string_view text, bool with_special) const {
  for (const AddedToken* token : added_by_byte_[static_cast<unsigned char>(text[0])])
    if (token->normalized == (pass == Pass::normalized) && (with_special || !token->special) &&
        text.starts_with(token->text))
      return token;
  return nullptr;
}

// Added tokens are found from left to right, the longest first, in two passes as Hugging Face does.
void Vocabulary::encode_from(Pass pass, std::string_view text, bool with_special,
                             std::vector<int32_t>& ids) const {
  if (pass == Pass::words) return encode_words(text, ids);
  Pass next = pass == Pass::not_normalized ? Pass::normalized : Pass::words;
  size_t start = 0;
  for (size_t at = 0; at < text.size();) {
    const AddedToken* token = added_at(pass, text.substr(at), with_special);
    if (!token) {
      ++at;
      continue;
    }
    encode_from(next, text.substr(start, at - start), with_special, ids);
    ids.push_back(token->id);
    start = at += token->text.size();
  }
  encode_from(next, text.substr(start), with_special, ids);
}

void Vocabulary::encode_words(std::string_view text, std::vector<int32_t>& ids) const {
  Splitter splitter(text);
  for (std::string_view word = splitter.next(); !word.empty(); word = splitter.next())
    encode_word(word, ids);
}

void Vocabulary::encode_word(std::string_view word, std::vector<int32_t>& ids) const {
  int32_t id = map_.find(word, spec_.tokens);
  if (id >= 0 && whole_[id]) {
    ids.push_back(id);
  } else if (word.size() <= kShortWord) {
    merge_short(word, ids);
  } else {
    merge_long(word, ids);
  }
}

bool Vocabulary::cut_spares_added(std::string_view text, size_t at) const {
  for (const AddedToken& token : spec_.added) {
    if (token.special) continue;
    for (size_t inside = 1; inside < token.text.size() && inside <= at; ++inside) {
      std::string_view from = text.substr(at - inside, token.text.size());
      if (std::string_view(token.text).starts_with(from)) return false;
    }
  }
  return true;
}

}  // namespace anneal::bpe
