#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/data/chat_sample.hpp"
#include "anneal/data/tokenizer/json_value.hpp"

namespace anneal {
namespace {

using tokenizing::JsonValue;

constexpr int64_t kLargestFile = int64_t{64} << 20;

// The template in tokenizer_config.json.
std::optional<std::string> template_of(const JsonValue& config) {
  auto value = config.find("chat_template");
  if (!value || value->is_string()) return value ? std::optional(value->as_text()) : std::nullopt;
  if (!value->is_array()) value->fail(str("expected a string or a list, got ", value->type_name()));
  for (size_t i = 0; i < value->size(); ++i)
    if (value->item(i).text("name") == "default") return value->item(i).text("template");
  value->fail("has no template named \"default\"");
}

}  // namespace

std::optional<ChatTemplate> load_chat_template(const std::filesystem::path& directory) {
  std::error_code ignored;
  auto file = directory / "chat_template.jinja", config_file = directory / "tokenizer_config.json";
  std::optional<JsonValue> config;
  if (std::filesystem::exists(config_file, ignored))
    config = JsonValue::parse(read_file(config_file, kLargestFile), config_file.string());
  std::optional<std::string> source;
  std::string where = file.string();
  if (std::filesystem::exists(file, ignored)) {
    source = read_file(file, kLargestFile);
  } else if (config) {
    source = template_of(*config);
    where = str(config_file.string(), ": chat_template");
  }
  if (!source) return std::nullopt;
  ChatTemplate chat = ChatTemplate::parse(*source, where);
  for (const char* name : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                           "cls_token", "mask_token"}) {
    auto token = config ? config->find(name) : std::nullopt;
    if (token) chat.set_token(name, token->is_object() ? token->text("content") : token->as_text());
  }
  return chat;
}

}  // namespace anneal
