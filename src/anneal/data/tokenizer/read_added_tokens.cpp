#include <algorithm>

#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer/byte_level.hpp"
#include "anneal/data/tokenizer/read_model.hpp"

namespace anneal::tokenizing {
namespace {

using bpe::AddedToken;

// Bounds the work at each character of a text.
constexpr size_t kLongestAddedToken = 4096;

class Reader {
 public:
  Reader(std::span<const std::string> tokens, bool byte_level)
      : tokens_(tokens), map_(tokens), byte_level_(byte_level) {}

  std::vector<AddedToken> read(const JsonValue& list) {
    int64_t end = static_cast<int64_t>(tokens_.size() + list.size());
    for (size_t i = 0; i < list.size(); ++i) {
      JsonValue item = list.item(i);
      if (!item.is_object()) item.fail(str("expected an object, got ", item.type_name()));
      added_.push_back(read_token(item, end));
    }
    std::stable_sort(added_.begin(), added_.end(),
                     [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
    check_ids(list);
    return std::move(added_);
  }

 private:
  AddedToken read_token(const JsonValue& item, int64_t end) const {
    AddedToken token;
    auto id = item.find("id");
    if (!id) item.missing("id", "an id");
    token.text = item.text("content");
    JsonValue content = *item.find("content");
    if (token.text.empty()) content.fail("is empty");
    if (token.text.size() > kLongestAddedToken)
      content.fail(str("is longer than ", kLongestAddedToken, " bytes"));
    token.id = static_cast<int32_t>(id->as_id(end));
    token.single_word = item.boolean("single_word", false);
    token.lstrip = item.boolean("lstrip", false);
    token.rstrip = item.boolean("rstrip", false);
    token.special = item.boolean("special", false);
    token.normalized = item.boolean("normalized", !token.special);
    check_model_token(token, *id, content);
    return token;
  }

  // An added token that the model has too must be the same token there, with the same bytes.
  void check_model_token(const AddedToken& token, const JsonValue& id,
                         const JsonValue& content) const {
    std::optional<std::string> bytes = token.text;
    if (byte_level_) bytes = bpe::from_byte_level(token.text);
    int32_t in_model = bytes ? map_.find(*bytes, tokens_) : -1;
    bool by_id = token.id < static_cast<int64_t>(tokens_.size());
    if (in_model < 0 && !by_id) return;
    if (in_model != token.id)
      id.fail(str("expected the id of ", shown(token.text), " in model.vocab, ",
                  in_model < 0 ? std::string("which lacks it") : std::to_string(in_model), ", got ",
                  token.id));
    if (*bytes != token.text)
      content.fail("stands for other bytes in model.vocab; expected it only here");
  }

  void check_ids(const JsonValue& list) const {
    int64_t next = static_cast<int64_t>(tokens_.size());
    std::vector<std::string_view> texts;
    for (size_t i = 0; i < added_.size(); ++i) {
      const AddedToken& token = added_[i];
      if (i > 0 && added_[i - 1].id == token.id) list.fail(str("id ", token.id, " occurs twice"));
      if (token.id >= static_cast<int64_t>(tokens_.size()) && token.id != next++)
        list.fail(str("expected id ", next - 1, " next, without gaps, got ", token.id));
      texts.push_back(token.text);
    }
    std::sort(texts.begin(), texts.end());
    auto twice = std::adjacent_find(texts.begin(), texts.end());
    if (twice != texts.end()) list.fail(str(shown(*twice), " occurs twice"));
  }

  std::span<const std::string> tokens_;
  bpe::TokenMap map_;
  bool byte_level_;
  std::vector<AddedToken> added_;
};

}  // namespace

std::vector<AddedToken> read_added_tokens(const JsonValue& root,
                                          std::span<const std::string> tokens, bool byte_level) {
  if (!root.find("added_tokens")) return {};
  return Reader(tokens, byte_level).read(root.array("added_tokens"));
}

}  // namespace anneal::tokenizing
