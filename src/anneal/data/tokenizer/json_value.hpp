#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace anneal::tokenizing {

// A value of a parsed JSON document that knows its place for messages. All errors are FormatErrors
// "[FILE: PATH] …". Null counts as absent.
class JsonValue {
 public:
  // Parses a document; `where` names it in errors.
  static JsonValue parse(std::string_view text, const std::string& where);

  [[noreturn]] void fail(const std::string& what) const;
  // That the member `key` is missing.
  [[noreturn]] void missing(const std::string& key, const char* expected) const;

  bool is_string() const;
  bool is_array() const;
  bool is_object() const;
  const char* type_name() const;

  // Members of an object. What is required and missing, or of another type, is refused.
  std::optional<JsonValue> find(const std::string& key) const;
  JsonValue object(const std::string& key) const;
  JsonValue array(const std::string& key) const;
  std::string text(const std::string& key) const;
  bool boolean(const std::string& key, bool fallback) const;
  int64_t integer(const std::string& key, int64_t fallback, int64_t least, int64_t most) const;

  // This value itself.
  const std::string& as_text() const;
  double as_number() const;
  // An id, from 0 to below `end`.
  int64_t as_id(int64_t end) const;
  bool is_zero() const;

  // Members of an object or an array.
  size_t size() const;
  JsonValue item(size_t i) const;
  void each_member(const std::function<void(const std::string&, const JsonValue&)>& visit) const;

 private:
  JsonValue(std::shared_ptr<const void> document, const void* value,
            std::shared_ptr<const std::string> where, std::string path)
      : document_(std::move(document)), value_(value), where_(std::move(where)), path_(path) {}
  JsonValue child(const void* value, const std::string& name) const;
  std::string path() const;
  JsonValue required(const std::string& key, const char* type_name) const;

  std::shared_ptr<const void> document_;
  const void* value_;  // of nlohmann's type, whose header stays in one file
  std::shared_ptr<const std::string> where_;
  std::string path_;
  // What the path ends in besides, put together only for messages: a vocabulary is large.
  int64_t index_ = -1;
  const std::string* name_ = nullptr;
};

// A text of the file in quotes, cut to a readable length for messages.
std::string shown(std::string_view text);

}  // namespace anneal::tokenizing
