#include "anneal/data/tokenizer/pipeline.hpp"

#include <optional>

#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer.hpp"
#include "anneal/data/tokenizer/splitter.hpp"
#include "anneal/data/tokenizer/utf8.hpp"

namespace anneal::tokenizing {
namespace {

// Normalization makes a text at most so many times longer, and this many bytes more: real rules
// stay far below, rules that double a text again and again do not.
constexpr size_t kMostGrowth = 32, kFreeGrowth = size_t{1} << 20;

Origin known(const std::optional<Origin>& origin) {
  if (!origin)
    throw Error(
        "[tokenizer] cannot tell which bytes of a text its tokens stand for: its rules change the "
        "text in another way than by normal forms or by ▁ for spaces");
  return *origin;
}

Origin aligned(std::string_view text, std::string_view copy) {
  return known(Origin::aligned(text, copy));
}

}  // namespace

Parts byte_level_parts(bpe::VocabularySpec spec) {
  Parts parts;
  parts.added = std::move(spec.added);
  spec.added.clear();
  parts.pre_tokenizers.byte_level = true;
  parts.pre_tokenizers.gpt2_alone = true;
  parts.pre_tokenizers.cut_at_space = true;
  parts.model = std::make_unique<bpe::Bpe>(std::move(spec));
  return parts;
}

Pipeline::Pipeline(Parts parts)
    : parts_(std::move(parts)),
      raw_added_(parts_.added, false, {}),
      normalized_added_(parts_.added, true,
                        [this](std::string_view text) { return normalize(text); }) {
  const size_t model = parts_.model->tokens().size();
  const bool byte_level = parts_.pre_tokenizers.byte_level;
  if (!byte_level)
    for (const std::string& token : parts_.model->tokens())
      bytes_.push_back(parts_.decoder.token(token, false));
  special_.resize(model);
  direct_ = parts_.normalizers.empty() && parts_.pre_tokenizers.gpt2_alone;
  cut_ = parts_.only_unicode && parts_.pre_tokenizers.cut_at_space;
  for (const AddedToken& token : parts_.added) {
    size_t id = static_cast<size_t>(token.id);
    if (id < model) {
      ++first_outside_;
    } else {
      ANNEAL_ASSERT(id == special_.size(), "added token ", token.id, " is out of order");
      special_.push_back(false);
      added_bytes_.push_back(byte_level ? token.text : parts_.decoder.token(token.text, false));
    }
    special_[id] = token.special;
    direct_ &= !token.single_word && !token.lstrip && !token.rstrip;
    cut_ &= !token.single_word && !token.rstrip;
  }
}

const std::string& Pipeline::text_of(int32_t id) const {
  const auto& tokens = parts_.model->tokens();
  size_t i = static_cast<size_t>(id);
  return i < tokens.size() ? tokens[i] : parts_.added[first_outside_ + i - tokens.size()].text;
}

std::string Pipeline::normalize(std::string_view text) const {
  std::string out(text);
  for (const Normalizer& step : parts_.normalizers) {
    out = step(out);
    if (out.size() > kMostGrowth * text.size() + kFreeGrowth)
      throw Error(str("[tokenizer] normalizing makes ", out.size(), " bytes of ", text.size(),
                      "; expected at most ", kMostGrowth, " times as many"));
  }
  return out;
}

void Pipeline::encode(std::string_view text, bool with_special, bool around,
                      std::vector<int32_t>& ids, std::vector<Place>* places) const {
  auto append = [&](const std::vector<int32_t>& more, size_t at) {
    for (int32_t id : around ? more : std::vector<int32_t>()) {
      ids.push_back(id);
      if (places) places->push_back({at, at});
    }
  };
  append(parts_.post_processor.before, 0);
  if (direct_) {
    encode_valid(text, true, with_special, {ids, places});
  } else {
    for (size_t at = 0; at < text.size();) {
      size_t run = bpe::valid_utf8_prefix(text.substr(at));
      if (run > 0)
        encode_valid(text.substr(at, run), at == 0, with_special, {ids, places, Origin(at)});
      at += run;
      if (at >= text.size()) break;
      parts_.model->encode_byte(static_cast<unsigned char>(text[at]), ids);
      if (places) places->resize(ids.size(), {at, at + 1});
      ++at;
    }
  }
  append(parts_.post_processor.after, text.size());
}

Origin Pipeline::origin_of(std::string_view text, std::string_view normalized) const {
  if (text == normalized) return Origin(0);
  if (!parts_.only_unicode) return aligned(text, normalized);
  auto change = [this](std::string_view part) { return normalize(part); };
  return known(Origin::by_pieces(text, normalized, change));
}

void Pipeline::encode_valid(std::string_view text, bool at_start, bool with_special,
                            Sink sink) const {
  auto rest = [&](std::string_view part, size_t begin) {
    bool start = at_start && begin == 0;
    Sink inner = sink;
    if (sink.places) inner.origin = sink.origin.then(Origin(begin));
    if (parts_.normalizers.empty()) return encode_normalized(part, start, with_special, inner);
    std::string normalized = normalize(part);
    if (sink.places) inner.origin = inner.origin.then(origin_of(part, normalized));
    encode_normalized(normalized, start, with_special, inner);
  };
  if (!raw_added_.any(with_special)) return rest(text, 0);
  raw_added_.split(text, with_special, rest, [&](int32_t id, size_t begin, size_t end) {
    sink.add(id, {begin, end});
  });
}

void Pipeline::encode_normalized(std::string_view text, bool at_start, bool with_special,
                                 Sink sink) const {
  if (!normalized_added_.any(with_special)) return encode_words(text, at_start, sink);
  normalized_added_.split(
      text, with_special,
      [&](std::string_view part, size_t begin) {
        Sink inner = sink;
        if (sink.places) inner.origin = sink.origin.then(Origin(begin));
        encode_words(part, at_start && begin == 0, inner);
      },
      [&](int32_t id, size_t begin, size_t end) {
        sink.add(id, {begin, end});
      });
}

void Pipeline::encode_word(std::string_view word, Sink& sink, std::ptrdiff_t at) const {
  size_t before = sink.ids.size();
  parts_.model->encode_word(word, sink.ids);
  if (!sink.places) return;
  auto text = [this](int32_t id) { return std::string_view(parts_.model->tokens()[id]); };
  for (Place place : places_in_word(word, std::span(sink.ids).subspan(before), text))
    sink.places->push_back(sink.origin.of({at + place.begin, at + place.end}));
}

void Pipeline::encode_words(std::string_view text, bool at_start, Sink sink) const {
  if (text.empty()) return;
  if (parts_.pre_tokenizers.gpt2_alone) {
    bpe::Splitter splitter(text);
    for (std::string_view word = splitter.next(); !word.empty(); word = splitter.next())
      encode_word(word, sink, word.data() - text.data());
    return;
  }
  Pieces pieces;
  pieces.items.push_back({text, at_start});
  for (const PreTokenizer& step : parts_.pre_tokenizers.steps) step(pieces);
  if (!sink.places) {
    for (const Pieces::Piece& piece : pieces.items) parts_.model->encode_word(piece.text, sink.ids);
    return;
  }
  // Pieces may have been changed, and what lies between them dropped.
  std::string all;
  for (const Pieces::Piece& piece : pieces.items) all += piece.text;
  if (all != text) sink.origin = sink.origin.then(aligned(text, all));
  std::ptrdiff_t at = 0;
  for (const Pieces::Piece& piece : pieces.items) {
    encode_word(piece.text, sink, at);
    at += static_cast<std::ptrdiff_t>(piece.text.size());
  }
}

std::string Pipeline::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string text;
  bool first = parts_.decoder.first_differs();
  for (int32_t id : ids) {
    if (skip_special && special_[id]) continue;
    text += first ? parts_.decoder.token(text_of(id), true) : token(id);
    first = false;
  }
  return parts_.decoder.joined(std::move(text));
}

bool Pipeline::cut_spares_added(std::string_view text, size_t at) const {
  for (const AddedToken& token : parts_.added) {
    if (token.special) continue;
    for (size_t inside = 1; inside < token.text.size() && inside <= at; ++inside) {
      std::string_view from = text.substr(at - inside, token.text.size());
      if (std::string_view(token.text).starts_with(from)) return false;
    }
  }
  return true;
}

size_t Pipeline::last_cut(std::string_view text) const {
  if (!cut_) return 0;
  size_t cut = last_word_cut(text);
  // Other patterns than GPT-2's join line ends with what stands before them.
  auto allowed = [&] { return direct_ || text[cut] == ' ' || text[cut] == '\t'; };
  while (cut > 0 && !(allowed() && cut_spares_added(text, cut)))
    cut = last_word_cut(text.substr(0, cut));
  return cut;
}

}  // namespace anneal::tokenizing
