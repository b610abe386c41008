#include "anneal/data/tokenizer/json_value.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "anneal/base/error.hpp"

namespace anneal::tokenizing {
namespace {

using Json = nlohmann::json;

// Deeper nesting than any tokenizer.json has is refused before a tree of it is built.
constexpr int kDeepest = 32;

const Json& json(const void* value) { return *static_cast<const Json*>(value); }

bool too_deep(std::string_view text) {
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
      if (++depth > kDeepest) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

}  // namespace

std::string shown(std::string_view text) {
  size_t end = std::min<size_t>(text.size(), 40);
  while (end < text.size() && end > 0 && (text[end] & 0xC0) == 0x80) --end;
  return str("\"", text.substr(0, end), end < text.size() ? "…\"" : "\"");
}

JsonValue JsonValue::parse(std::string_view text, const std::string& where) {
  auto root = std::make_shared<Json>();
  JsonValue value(root, root.get(), std::make_shared<const std::string>(where), "");
  if (too_deep(text)) value.fail(str("nests deeper than ", kDeepest, " levels"));
  try {
    *root = Json::parse(text.begin(), text.end());
  } catch (const Json::exception& error) {
    value.fail(str("is not valid JSON: ", error.what()));
  }
  if (!root->is_object()) value.fail(str("expected a JSON object, got ", root->type_name()));
  return value;
}

void JsonValue::fail(const std::string& what) const {
  std::string path = this->path();
  throw FormatError("[" + *where_ + (path.empty() ? "" : ": " + path) + "] " + what);
}

void JsonValue::missing(const std::string& key, const char* expected) const {
  child(nullptr, key).fail(str("is missing; expected ", expected));
}

bool JsonValue::is_string() const { return json(value_).is_string(); }
bool JsonValue::is_array() const { return json(value_).is_array(); }
bool JsonValue::is_object() const { return json(value_).is_object(); }
const char* JsonValue::type_name() const { return json(value_).type_name(); }
size_t JsonValue::size() const { return json(value_).size(); }

std::string JsonValue::path() const {
  if (name_) return path_ + "." + shown(*name_);
  return index_ < 0 ? path_ : str(path_, "[", index_, "]");
}

JsonValue JsonValue::child(const void* value, const std::string& name) const {
  std::string path = this->path();
  return {document_, value, where_, path.empty() ? name : path + "." + name};
}

std::optional<JsonValue> JsonValue::find(const std::string& key) const {
  const Json& object = json(value_);
  if (!object.is_object()) fail(str("expected an object, got ", object.type_name()));
  auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::nullopt;
  return child(&*found, key);
}

JsonValue JsonValue::required(const std::string& key, const char* type_name) const {
  auto value = find(key);
  if (!value) missing(key, type_name);
  return *value;
}

JsonValue JsonValue::object(const std::string& key) const {
  JsonValue value = required(key, "an object");
  if (!value.is_object()) value.fail(str("expected an object, got ", value.type_name()));
  return value;
}

JsonValue JsonValue::array(const std::string& key) const {
  JsonValue value = required(key, "an array");
  if (!value.is_array()) value.fail(str("expected an array, got ", value.type_name()));
  return value;
}

std::string JsonValue::text(const std::string& key) const {
  return required(key, "a string").as_text();
}

bool JsonValue::boolean(const std::string& key, bool fallback) const {
  auto value = find(key);
  if (!value) return fallback;
  if (!json(value->value_).is_boolean())
    value->fail(str("expected a boolean, got ", value->type_name()));
  return json(value->value_).get<bool>();
}

int64_t JsonValue::integer(const std::string& key, int64_t fallback, int64_t least,
                           int64_t most) const {
  auto value = find(key);
  if (!value) return fallback;
  const Json& number = json(value->value_);
  bool large = number.is_number_unsigned() && number.get<uint64_t>() > static_cast<uint64_t>(most);
  if (!number.is_number_integer() || large || number.get<int64_t>() < least ||
      number.get<int64_t>() > most)
    value->fail(str("expected an integer from ", least, " to ", most));
  return number.get<int64_t>();
}

const std::string& JsonValue::as_text() const {
  if (!is_string()) fail(str("expected a string, got ", type_name()));
  return json(value_).get_ref<const std::string&>();
}

double JsonValue::as_number() const {
  if (!json(value_).is_number()) fail(str("expected a number, got ", type_name()));
  return json(value_).get<double>();
}

bool JsonValue::is_zero() const {
  return json(value_).is_number() && json(value_).get<double>() == 0.0;
}

int64_t JsonValue::as_id(int64_t end) const {
  const Json& value = json(value_);
  if (!value.is_number_integer()) fail(str("expected an id, got ", value.type_name()));
  bool large = value.is_number_unsigned() && value.get<uint64_t>() >= static_cast<uint64_t>(end);
  if (large || value.get<int64_t>() < 0)
    fail(str("expected ids from 0 without gaps, so below ", end, ", got ", value.dump()));
  return value.get<int64_t>();
}

JsonValue JsonValue::item(size_t i) const {
  JsonValue item(document_, &json(value_).at(i), where_, path());
  item.index_ = static_cast<int64_t>(i);
  return item;
}

void JsonValue::each_member(
    const std::function<void(const std::string&, const JsonValue&)>& visit) const {
  JsonValue member(document_, value_, where_, path());
  for (const auto& [name, value] : json(value_).items()) {
    member.value_ = &value;
    member.name_ = &name;
    visit(name, member);
  }
}

}  // namespace anneal::tokenizing
