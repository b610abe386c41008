#include "anneal/data/tokenizer/pipeline.hpp"

#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer.hpp"
#include "anneal/data/tokenizer/splitter.hpp"
#include "anneal/data/tokenizer/utf8.hpp"

namespace anneal::tokenizing {
namespace {

// Normalization makes a text at most so many times longer, and this many bytes more: real rules
// stay far below, rules that double a text again and again do not.
constexpr size_t kMostGrowth = 32, kFreeGrowth = size_t{1} << 20;

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
                      std::vector<int32_t>& ids) const {
  auto append = [&](const std::vector<int32_t>& more) {
    if (around) ids.insert(ids.end(), more.begin(), more.end());
  };
  append(parts_.post_processor.before);
  if (direct_) {
    encode_valid(text, true, with_special, ids);
  } else {
    for (size_t at = 0; at < text.size();) {
      size_t run = bpe::valid_utf8_prefix(text.substr(at));
      if (run > 0) encode_valid(text.substr(at, run), at == 0, with_special, ids);
      at += run;
      if (at < text.size()) parts_.model->encode_byte(static_cast<unsigned char>(text[at++]), ids);
    }
  }
  append(parts_.post_processor.after);
}

void Pipeline::encode_valid(std::string_view text, bool at_start, bool with_special,
                            std::vector<int32_t>& ids) const {
  auto rest = [&](std::string_view part, size_t begin) {
    bool start = at_start && begin == 0;
    if (parts_.normalizers.empty()) return encode_normalized(part, start, with_special, ids);
    encode_normalized(normalize(part), start, with_special, ids);
  };
  if (!raw_added_.any(with_special)) return rest(text, 0);
  raw_added_.split(text, with_special, rest, [&](int32_t id) { ids.push_back(id); });
}

void Pipeline::encode_normalized(std::string_view text, bool at_start, bool with_special,
                                 std::vector<int32_t>& ids) const {
  if (!normalized_added_.any(with_special)) return encode_words(text, at_start, ids);
  normalized_added_.split(
      text, with_special,
      [&](std::string_view part, size_t begin) { encode_words(part, at_start && begin == 0, ids); },
      [&](int32_t id) { ids.push_back(id); });
}

void Pipeline::encode_words(std::string_view text, bool at_start, std::vector<int32_t>& ids) const {
  if (text.empty()) return;
  if (parts_.pre_tokenizers.gpt2_alone) {
    bpe::Splitter splitter(text);
    for (std::string_view word = splitter.next(); !word.empty(); word = splitter.next())
      parts_.model->encode_word(word, ids);
    return;
  }
  Pieces pieces;
  pieces.items.push_back({text, at_start});
  for (const PreTokenizer& step : parts_.pre_tokenizers.steps) step(pieces);
  for (const Pieces::Piece& piece : pieces.items) parts_.model->encode_word(piece.text, ids);
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
