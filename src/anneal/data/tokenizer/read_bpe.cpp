#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer/byte_level.hpp"
#include "anneal/data/tokenizer/read_model.hpp"

namespace anneal::tokenizing {
namespace {

using bpe::from_byte_level;
using bpe::to_byte_level;

class Reader {
 public:
  explicit Reader(bool byte_level) { spec_.byte_level = byte_level; }

  void read_vocab(const JsonValue& vocab) {
    int64_t size = static_cast<int64_t>(vocab.size());
    spec_.tokens.resize(vocab.size());
    vocab.each_member([&](const std::string& name, const JsonValue& value) {
      std::string& token = spec_.tokens[value.as_id(size)];
      if (!token.empty())
        value.fail(str("id ", value.as_id(size), " belongs to two tokens; the other is ",
                       shown(spec_.byte_level ? to_byte_level(token) : token)));
      if (name.empty()) value.fail("is empty");
      auto text = spelled(name);
      if (!text) value.fail("has a character that stands for no byte in byte-level BPE");
      token = std::move(*text);
    });
    map_.emplace(spec_.tokens);
    if (!spec_.byte_level) return;
    // Some vocabularies lack bytes that their texts did not have; such a byte has no id then.
    for (int b = 0; b < 256; ++b)
      if (map_->find(std::string(1, static_cast<char>(b)), spec_.tokens) >= 0) return;
    vocab.fail("has no token for any byte; expected them as byte-level BPE spells them");
  }

  // `fail` says where the merge stands.
  template <class Fail>
  void add_merge(const std::string& left, const std::string& right, const Fail& fail) {
    auto find = [&](const std::string& name) {
      auto text = spelled(name);
      int32_t found = text ? map_->find(*text, spec_.tokens) : -1;
      if (found < 0) fail(str("token ", shown(name), " is not in model.vocab"));
      return found;
    };
    int32_t l = find(left), r = find(right);
    spec_.merges.push_back({l, r, find(left + right)});
  }

  template <class Fail>
  void add_merge(const std::string& both, const Fail& fail) {
    size_t space = both.find(' ');
    if (space == std::string::npos || both.find(' ', space + 1) != std::string::npos)
      fail(str("expected two tokens and one space between them, got ", shown(both)));
    add_merge(both.substr(0, space), both.substr(space + 1), fail);
  }

  void read_merges(const JsonValue& merges) {
    spec_.merges.reserve(merges.size());
    for (size_t i = 0; i < merges.size(); ++i) {
      JsonValue merge = merges.item(i);
      auto fail = [&](const std::string& what) { merge.fail(what); };
      if (merge.is_string()) {
        add_merge(merge.as_text(), fail);
      } else if (merge.is_array() && merge.size() == 2 && merge.item(0).is_string() &&
                 merge.item(1).is_string()) {
        add_merge(merge.item(0).as_text(), merge.item(1).as_text(), fail);
      } else {
        fail(str("expected \"left right\" or [\"left\", \"right\"], got ", merge.type_name()));
      }
    }
  }

  void read_unknown(const JsonValue& model) {
    spec_.byte_fallback = model.boolean("byte_fallback", false);
    spec_.fuse_unknown = model.boolean("fuse_unk", false);
    if (spec_.byte_level) {
      if (spec_.byte_fallback)
        model.find("byte_fallback")->fail("expected false: not supported by byte-level BPE");
      return;  // every byte is a token, nothing is unknown
    }
    auto unknown = model.find("unk_token");
    if (!unknown) return;
    spec_.unknown = map_->find(unknown->as_text(), spec_.tokens);
    if (spec_.unknown < 0) unknown->fail(str(shown(unknown->as_text()), " is not in model.vocab"));
  }

  bpe::VocabularySpec& spec() { return spec_; }

 private:
  std::optional<std::string> spelled(const std::string& name) const {
    return spec_.byte_level ? from_byte_level(name) : name;
  }

  bpe::VocabularySpec spec_;
  std::optional<bpe::TokenMap> map_;
};

}  // namespace

bpe::VocabularySpec read_bpe(const JsonValue& model, bool byte_level) {
  if (auto dropout = model.find("dropout"); dropout && !dropout->is_zero())
    dropout->fail("expected null: merges are never dropped");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (auto affix = model.find(key); affix && !affix->as_text().empty())
      affix->fail("expected null: not supported");
  Reader reader(byte_level);
  reader.read_vocab(model.object("vocab"));
  reader.read_unknown(model);
  reader.read_merges(model.array("merges"));
  reader.spec().ignore_merges = model.boolean("ignore_merges", false);
  return std::move(reader.spec());
}

bpe::VocabularySpec read_bpe_files(const JsonValue& vocab, std::string_view merges,
                                   const std::string& where) {
  Reader reader(true);
  reader.read_vocab(vocab);
  size_t number = 0;
  while (!merges.empty()) {
    ++number;
    size_t end = std::min(merges.find('\n'), merges.size());
    std::string line(merges.substr(0, end));
    merges.remove_prefix(std::min(end + 1, merges.size()));
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || (number == 1 && line.starts_with("#version"))) continue;
    reader.add_merge(line, [&](const std::string& what) {
      throw FormatError(str("[", where, ":", number, "] ", what));
    });
  }
  return std::move(reader.spec());
}

}  // namespace anneal::tokenizing
