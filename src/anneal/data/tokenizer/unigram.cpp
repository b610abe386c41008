#include "anneal/data/tokenizer/unigram.hpp"

#include <algorithm>

#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer/utf8.hpp"

namespace anneal::tokenizing {
namespace {

constexpr double kUnknownPenalty = 10;

// The best way to reach a place of the word.
struct Node {
  double score = 0;
  size_t start = ~size_t{0};  // of its last token; ~0: not reached yet
  int32_t id = 0;
};

}  // namespace

Unigram::Unigram(UnigramSpec spec)
    : spec_(std::move(spec)), map_(spec_.tokens), fallback_(byte_tokens(map_, spec_.tokens)) {
  for (size_t id = 0; id < spec_.tokens.size(); ++id)
    trie_.add(spec_.tokens[id], static_cast<int32_t>(id));
  unknown_score_ = *std::min_element(spec_.scores.begin(), spec_.scores.end()) - kUnknownPenalty;
}

void Unigram::encode_word(std::string_view word, std::vector<int32_t>& ids) const {
  std::vector<Node> nodes(word.size() + 1);
  for (size_t at = 0; at < word.size();) {
    double score = nodes[at].score;
    size_t character = static_cast<size_t>(std::max(1, bpe::utf8_char(word, at).bytes));
    auto reach = [&](size_t length, int32_t id, double token_score) {
      Node& node = nodes[at + length];
      if (node.start == ~size_t{0} || token_score + score > node.score)
        node = {token_score + score, at, id};
    };
    bool known = false;
    trie_.prefixes(word.substr(at), [&](size_t length, int32_t id) {
      reach(length, id, spec_.scores[id]);
      known |= length == character;
    });
    if (!known) {
      if (spec_.unknown < 0)
        throw Error(str("[tokenizer] no token for \"", word.substr(at, character),
                        "\", and the model has no unknown token"));
      reach(character, spec_.unknown, unknown_score_);
    }
    at += character;
  }

  std::vector<std::pair<size_t, size_t>> pieces;  // from the last to the first
  bool fuse = false;
  for (size_t end = word.size(); end > 0;) {
    const Node& node = nodes[end];
    bool unknown = node.id == spec_.unknown;
    if (unknown && fuse) {
      pieces.back().first = node.start;
    } else {
      pieces.emplace_back(node.start, end);
    }
    fuse = unknown;
    end = node.start;
  }
  for (size_t i = pieces.size(); i-- > 0;)
    append(word.substr(pieces[i].first, pieces[i].second - pieces[i].first), ids);
}

void Unigram::append(std::string_view piece, std::vector<int32_t>& ids) const {
  int32_t id = map_.find(piece, spec_.tokens);
  auto token = [&](char byte) { return fallback_[static_cast<unsigned char>(byte)]; };
  if (id >= 0) {
    ids.push_back(id);
  } else if (spec_.byte_fallback &&
             std::all_of(piece.begin(), piece.end(), [&](char byte) { return token(byte) >= 0; })) {
    for (char byte : piece) ids.push_back(token(byte));
  } else {
    ids.push_back(spec_.unknown);
  }
}

void Unigram::encode_byte(unsigned char byte, std::vector<int32_t>& ids) const {
  int32_t id = spec_.byte_fallback ? fallback_[byte] : -1;
  if (id < 0) id = spec_.unknown;
  if (id >= 0) ids.push_back(id);
}

}  // namespace anneal::tokenizing
