#include <algorithm>
#include <nlohmann/json.hpp>

#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer/byte_level.hpp"
#include "anneal/data/tokenizer/json.hpp"

namespace anneal::bpe {
namespace {

using Json = nlohmann::json;

// Deeper nesting than any tokenizer.json has is refused before a tree of it is built.
constexpr int kDeepest = 32;

class Reader {
 public:
  explicit Reader(const std::string& where) : where_(where) {}

  VocabularySpec read(std::string_view text) {
    check_depth(text);
    Json root;
    try {
      root = Json::parse(text.begin(), text.end());
    } catch (const Json::exception& error) {
      fail("", str("is not valid JSON: ", error.what()));
    }
    if (!root.is_object()) fail("", str("expected a JSON object, got ", root.type_name()));
    check_pipeline(root);
    read_model(root);
    read_added(root);
    return std::move(spec_);
  }

 private:
  [[noreturn]] void fail(const std::string& key, const std::string& what) const {
    throw FormatError("[" + where_ + (key.empty() ? "" : ": " + key) + "] " + what);
  }
  // Texts from the file are cut to a readable length in messages.
  static std::string shown(const std::string& text) {
    size_t end = std::min<size_t>(text.size(), 40);
    while (end < text.size() && end > 0 && (text[end] & 0xC0) == 0x80) --end;
    return str("\"", std::string_view(text).substr(0, end), end < text.size() ? "…\"" : "\"");
  }

  void check_depth(std::string_view text) const {
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size(); ++i) {
      char c = text[i];
      if (in_string) {
        if (c == '\\') ++i;
        if (c == '"') in_string = false;
      } else if (c == '"') {
        in_string = true;
      } else if (c == '[' || c == '{') {
        if (++depth > kDeepest) fail("", str("nests deeper than ", kDeepest, " levels"));
      } else if (c == ']' || c == '}') {
        --depth;
      }
    }
  }

  // A key that may be absent or null; nullptr then.
  static const Json* optional(const Json& object, const char* key) {
    auto found = object.find(key);
    return found == object.end() || found->is_null() ? nullptr : &*found;
  }
  const Json& required(const Json& object, const std::string& path, const char* key,
                       Json::value_t type, const char* type_name) const {
    const Json* value = optional(object, key);
    if (!value) fail(path + key, str("is missing; expected ", type_name));
    if (value->type() != type)
      fail(path + key, str("expected ", type_name, ", got ", value->type_name()));
    return *value;
  }
  bool boolean(const Json& object, const std::string& path, const char* key, bool fallback) const {
    const Json* value = optional(object, key);
    if (!value) return fallback;
    if (!value->is_boolean()) fail(path + key, str("expected a boolean, got ", value->type_name()));
    return value->get<bool>();
  }
  std::string text(const Json& object, const std::string& path, const char* key) const {
    return required(object, path, key, Json::value_t::string, "a string").get<std::string>();
  }
  const Json& component(const Json& root, const char* key, const char* type) const {
    const Json& value = required(root, "", key, Json::value_t::object, "an object");
    std::string got = text(value, str(key, "."), "type");
    if (got != type)
      fail(str(key, ".type"),
           str("expected \"", type, "\", got ", shown(got), "; no other is supported"));
    return value;
  }

  void check_pipeline(const Json& root) const {
    if (optional(root, "normalizer"))
      fail("normalizer", "expected null: normalizers are not supported, they change the text");
    const Json& splitter = component(root, "pre_tokenizer", "ByteLevel");
    if (boolean(splitter, "pre_tokenizer.", "add_prefix_space", true))
      fail("pre_tokenizer.add_prefix_space", "expected false: a prefix space changes the text");
    if (!boolean(splitter, "pre_tokenizer.", "use_regex", true))
      fail("pre_tokenizer.use_regex", "expected true: only GPT-2's pattern is supported");
    component(root, "decoder", "ByteLevel");
    if (optional(root, "post_processor")) component(root, "post_processor", "ByteLevel");
  }

  void read_model(const Json& root) {
    const Json& model = required(root, "", "model", Json::value_t::object, "an object");
    if (optional(model, "type")) component(root, "model", "BPE");
    if (const Json* dropout = optional(model, "dropout"); dropout && *dropout != 0.0)
      fail("model.dropout", "expected null: merges are never dropped");
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
      if (const Json* affix = optional(model, key); affix && *affix != "")
        fail(str("model.", key), "expected null: not supported by byte-level BPE");
    if (boolean(model, "model.", "byte_fallback", false))
      fail("model.byte_fallback", "expected false: not supported by byte-level BPE");
    spec_.ignore_merges = boolean(model, "model.", "ignore_merges", false);

    read_vocab(required(model, "model.", "vocab", Json::value_t::object, "an object"));
    TokenMap map(spec_.tokens);
    for (int b = 0; b < 256; ++b) {
      std::string byte(1, static_cast<char>(b));
      if (map.find(byte, spec_.tokens) < 0)
        fail("model.vocab", str("has no token for byte ", b, ", which would be ",
                                shown(to_byte_level(byte)), "; expected one for each of the 256"));
    }
    read_merges(required(model, "model.", "merges", Json::value_t::array, "an array"), map);
  }

  // `key` is called only for an error: a vocabulary has many ids.
  template <class Key>
  int64_t id(const Json& value, const Key& key, int64_t end) const {
    if (!value.is_number_integer()) fail(key(), str("expected an id, got ", value.type_name()));
    bool large = value.is_number_unsigned() && value.get<uint64_t>() >= static_cast<uint64_t>(end);
    if (large || value.get<int64_t>() < 0)
      fail(key(), str("expected ids from 0 without gaps, so below ", end, ", got ", value.dump()));
    return value.get<int64_t>();
  }

  void read_vocab(const Json& vocab) {
    int64_t size = static_cast<int64_t>(vocab.size());
    spec_.tokens.resize(vocab.size());
    for (const auto& [name, value] : vocab.items()) {
      auto key = [&name = name] { return "model.vocab." + shown(name); };
      std::string& token = spec_.tokens[id(value, key, size)];
      if (!token.empty())
        fail(key(), str("id ", value.dump(), " belongs to two tokens; the other is ",
                        shown(to_byte_level(token))));
      auto bytes = from_byte_level(name);
      if (!bytes) fail(key(), "has a character that stands for no byte in byte-level BPE");
      if (bytes->empty()) fail(key(), "is empty");
      token = std::move(*bytes);
    }
  }

  void read_merges(const Json& merges, const TokenMap& map) {
    spec_.merges.reserve(merges.size());
    auto find = [&](const auto& key, const std::string& name) {
      auto bytes = from_byte_level(name);
      int32_t found = bytes ? map.find(*bytes, spec_.tokens) : -1;
      if (found < 0) fail(key(), str("token ", shown(name), " is not in model.vocab"));
      return found;
    };
    for (size_t i = 0; i < merges.size(); ++i) {
      const Json& merge = merges[i];
      auto key = [i] { return str("model.merges[", i, "]"); };
      std::string left, right;
      if (merge.is_string()) {
        const std::string& both = merge.get_ref<const std::string&>();
        size_t space = both.find(' ');
        if (space == std::string::npos || both.find(' ', space + 1) != std::string::npos)
          fail(key(), str("expected two tokens and one space between them, got ", shown(both)));
        left = both.substr(0, space), right = both.substr(space + 1);
      } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
                 merge[1].is_string()) {
        left = merge[0].get<std::string>(), right = merge[1].get<std::string>();
      } else {
        fail(key(),
             str("expected \"left right\" or [\"left\", \"right\"], got ", merge.type_name()));
      }
      int32_t l = find(key, left), r = find(key, right);
      spec_.merges.push_back({l, r, find(key, left + right)});
    }
  }

  void read_added(const Json& root) {
    const Json* list = optional(root, "added_tokens");
    if (!list) return;
    if (!list->is_array()) fail("added_tokens", str("expected an array, got ", list->type_name()));
    TokenMap map(spec_.tokens);
    int64_t end = static_cast<int64_t>(spec_.tokens.size() + list->size());
    for (size_t i = 0; i < list->size(); ++i) {
      std::string key = str("added_tokens[", i, "]");
      const Json& item = (*list)[i];
      if (!item.is_object()) fail(key, str("expected an object, got ", item.type_name()));
      AddedToken token;
      const Json* value = optional(item, "id");
      if (!value) fail(key + ".id", "is missing; expected an id");
      token.id = static_cast<int32_t>(id(
          *value, [&] { return key + ".id"; }, end));
      token.text = text(item, key + ".", "content");
      if (token.text.empty()) fail(key + ".content", "is empty");
      for (const char* flag : {"single_word", "lstrip", "rstrip"})
        if (boolean(item, key + ".", flag, false))
          fail(str(key, ".", flag), "expected false: not supported");
      token.special = boolean(item, key + ".", "special", false);
      token.normalized = boolean(item, key + ".", "normalized", !token.special);
      check_model_token(token, key, map);
      spec_.added.push_back(std::move(token));
    }
    std::stable_sort(spec_.added.begin(), spec_.added.end(),
                     [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
    check_added_ids();
  }

  // An added token that the model has too must be the same token there, with the same bytes.
  void check_model_token(const AddedToken& token, const std::string& key,
                         const TokenMap& map) const {
    auto bytes = from_byte_level(token.text);
    int32_t in_model = bytes ? map.find(*bytes, spec_.tokens) : -1;
    bool by_id = token.id < static_cast<int64_t>(spec_.tokens.size());
    if (in_model < 0 && !by_id) return;
    if (in_model != token.id)
      fail(key + ".id", str("expected the id of ", shown(token.text), " in model.vocab, ",
                            in_model < 0 ? std::string("which lacks it") : std::to_string(in_model),
                            ", got ", token.id));
    if (*bytes != token.text)
      fail(key + ".content", str("stands for other bytes in model.vocab; expected it only here"));
  }

  void check_added_ids() const {
    int64_t next = static_cast<int64_t>(spec_.tokens.size());
    std::vector<std::string_view> texts;
    for (size_t i = 0; i < spec_.added.size(); ++i) {
      const AddedToken& token = spec_.added[i];
      if (i > 0 && spec_.added[i - 1].id == token.id)
        fail("added_tokens", str("id ", token.id, " occurs twice"));
      if (token.id >= static_cast<int64_t>(spec_.tokens.size()) && token.id != next++)
        fail("added_tokens", str("expected id ", next - 1, " next, without gaps, got ", token.id));
      texts.push_back(token.text);
    }
    std::sort(texts.begin(), texts.end());
    auto twice = std::adjacent_find(texts.begin(), texts.end());
    if (twice != texts.end())
      fail("added_tokens", str(shown(std::string(*twice)), " occurs twice"));
  }

  std::string where_;
  VocabularySpec spec_;
};

}  // namespace

VocabularySpec read_tokenizer_json(std::string_view json, const std::string& where) {
  return Reader(where).read(json);
}

}  // namespace anneal::bpe
