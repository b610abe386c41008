#include "anneal/data/tokenizer/post_processor.hpp"

#include "anneal/base/error.hpp"

namespace anneal::tokenizing {
namespace {

// More than any model wants; a file can name the same tokens again and again.
constexpr size_t kMostTokens = 1024;

class Reader {
 public:
  explicit Reader(int64_t vocab_size) : vocab_size_(vocab_size) {}

  void read(const JsonValue& value) {
    std::string type = value.text("type");
    if (type == "Sequence") {
      JsonValue list = value.array("processors");
      for (size_t i = 0; i < list.size(); ++i) read(list.item(i));
    } else if (type == "TemplateProcessing") {
      read_template(value);
    } else if (type == "RobertaProcessing" || type == "BertProcessing") {
      wrap({pair_id(value.array("cls"))}, {pair_id(value.array("sep"))});
    } else if (type != "ByteLevel") {  // which only changes offsets
      value.find("type")->fail(
          str("the post-processor ", shown(type),
              " is not supported; supported are Sequence, ByteLevel, TemplateProcessing, "
              "RobertaProcessing and BertProcessing"));
    }
    if (found_.before.size() + found_.after.size() > kMostTokens)
      value.fail(str("adds more than ", kMostTokens, " tokens"));
  }

  PostProcessor finish() { return std::move(found_); }

 private:
  using Ids = std::vector<int32_t>;

  // A later processor's tokens stand around an earlier one's.
  void wrap(const Ids& before, const Ids& after) {
    found_.before.insert(found_.before.begin(), before.begin(), before.end());
    found_.after.insert(found_.after.end(), after.begin(), after.end());
  }

  int32_t pair_id(const JsonValue& pair) const {
    if (pair.size() != 2) pair.fail("expected a token and its id");
    return static_cast<int32_t>(pair.item(1).as_id(vocab_size_));
  }

  void read_template(const JsonValue& value) {
    JsonValue single = value.array("single");
    Ids before, after;
    bool text = false;
    for (size_t i = 0; i < single.size(); ++i) {
      JsonValue piece = single.item(i);
      if (auto sequence = piece.find("Sequence")) {
        if (text || sequence->text("id") != "A")
          sequence->fail("expected sequence A, once, in the template of single texts");
        text = true;
      } else {
        add_special(value, piece.object("SpecialToken").text("id"), text ? after : before);
      }
      if (before.size() + after.size() > kMostTokens)
        single.fail(str("adds more than ", kMostTokens, " tokens"));
    }
    if (!text) single.fail("the template has no sequence A");
    wrap(before, after);
  }

  void add_special(const JsonValue& value, const std::string& name, Ids& ids) const {
    JsonValue list = value.object("special_tokens").object(name).array("ids");
    if (list.size() > kMostTokens) list.fail(str("adds more than ", kMostTokens, " tokens"));
    for (size_t i = 0; i < list.size(); ++i)
      ids.push_back(static_cast<int32_t>(list.item(i).as_id(vocab_size_)));
  }

  int64_t vocab_size_;
  PostProcessor found_;
};

}  // namespace

PostProcessor read_post_processor(const std::optional<JsonValue>& value, int64_t vocab_size) {
  Reader reader(vocab_size);
  if (value) reader.read(*value);
  return reader.finish();
}

}  // namespace anneal::tokenizing
