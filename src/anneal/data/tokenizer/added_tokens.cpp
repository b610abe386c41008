#include "anneal/data/tokenizer/added_tokens.hpp"

#include <algorithm>

#include "anneal/data/tokenizer/unicode.hpp"
#include "anneal/data/tokenizer/utf8.hpp"

namespace anneal::tokenizing {
namespace {

// The character that ends before text[end].
bpe::Utf8Char character_before(std::string_view text, size_t end) {
  size_t at = end;
  do --at;
  while (at > 0 && end - at < 4 && (text[at] & 0xC0) == 0x80);
  bpe::Utf8Char c = bpe::utf8_char(text, at);
  return at + c.bytes == end ? c : bpe::Utf8Char{};
}

bool is_single_word(std::string_view text, size_t begin, size_t end) {
  auto word = [](bpe::Utf8Char c) { return c.bytes > 0 && is_word(c.code); };
  if (begin > 0 && word(character_before(text, begin))) return false;
  return end == text.size() || !word(bpe::utf8_char(text, end));
}

bool is_space(bpe::Utf8Char c) { return c.bytes > 0 && bpe::is_white_space(c.code); }

}  // namespace

AddedTokens::AddedTokens(std::span<const AddedToken> tokens, bool normalized,
                         const std::function<std::string(std::string_view)>& normalize) {
  for (const AddedToken& token : tokens) {
    if (token.normalized != normalized) continue;
    std::string text = normalized && normalize ? normalize(token.text) : token.text;
    if (text.empty()) continue;
    trie_.add(text, static_cast<int32_t>(tokens_.size()));
    tokens_.push_back(token);
    any_ = true;
    any_ordinary_ |= !token.special;
  }
}

const AddedToken* AddedTokens::longest(std::string_view text, bool with_special,
                                       size_t& length) const {
  const AddedToken* found = nullptr;
  trie_.prefixes(text, [&](size_t size, int32_t place) {
    if (!with_special && tokens_[place].special) return;
    found = &tokens_[place];
    length = size;
  });
  return found;
}

// White space that a token takes may reach beyond the place where the search goes on, as in Hugging
// Face's library.
void AddedTokens::split(std::string_view text, bool with_special,
                        const std::function<void(std::string_view, size_t)>& words,
                        const std::function<void(int32_t, size_t, size_t)>& token) const {
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    size_t length = 0;
    const AddedToken* found = nullptr;
    if (trie_.may_start(static_cast<unsigned char>(text[at])))
      found = longest(text.substr(at), with_special, length);
    if (!found) {
      ++at;
      continue;
    }
    size_t begin = at, end = at += length;
    if (found->single_word && !is_single_word(text, begin, end)) continue;
    if (found->lstrip) {
      while (begin > done) {
        bpe::Utf8Char c = character_before(text, begin);
        if (!is_space(c)) break;
        begin -= c.bytes;
      }
      begin = std::max(begin, done);
    }
    if (found->rstrip)
      for (bpe::Utf8Char c; is_space(c = bpe::utf8_char(text, end));) end += c.bytes;
    if (done < begin) words(text.substr(done, begin - done), done);
    token(found->id, begin, end);
    done = end;
  }
  if (done < text.size()) words(text.substr(done), done);
}

}  // namespace anneal::tokenizing
