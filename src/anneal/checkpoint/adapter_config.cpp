#include "anneal/checkpoint/adapter_config.hpp"

#include <nlohmann/json.hpp>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

using Json = nlohmann::json;

constexpr int64_t largest_rank = 1 << 20;

bool is_off(const Json& value) {
  return value.is_null() || value == Json(false) || value == Json("none") ||
         ((value.is_object() || value.is_array()) && value.empty());
}

// Keys that are read here, or that say nothing about what the adapters compute.
bool is_understood(std::string_view key) {
  for (std::string_view known :
       {"peft_type", "peft_version", "task_type", "auto_mapping", "base_model_name_or_path",
        "revision", "inference_mode", "r", "lora_alpha", "lora_dropout", "target_modules",
        "fan_in_fan_out", "init_lora_weights", "megatron_core", "qalora_group_size",
        "exclude_modules", "layers_pattern"})
    if (key == known) return true;
  return false;
}

}  // namespace

std::string adapter_config_json(const AdapterConfig& config, bool conv1d) {
  Json json = {{"peft_type", "LORA"},
               {"task_type", "CAUSAL_LM"},
               {"base_model_name_or_path", config.base},
               {"r", config.lora.rank},
               {"lora_alpha", config.lora.alpha},
               {"lora_dropout", config.lora.dropout},
               {"target_modules", config.lora.targets},
               {"fan_in_fan_out", conv1d},
               {"bias", "none"},
               {"inference_mode", true},
               {"init_lora_weights", true},
               {"modules_to_save", nullptr}};
  return json.dump(2) + "\n";
}

AdapterConfig parse_adapter_config(std::string_view text, const std::string& where) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) throw FormatError(str("[", where, "] is not a JSON object"));
  auto wrong = [&](const char* key, const char* expected) {
    return FormatError(str("[", where, "] ", key, ": expected ", expected));
  };
  if (!json.contains("peft_type") || json["peft_type"] != "LORA")
    throw UsageError(str("[", where, "] peft_type: only LORA adapters are read"));
  for (const auto& [key, value] : json.items())
    if (!is_understood(key) && !is_off(value))
      throw UsageError(str("[", where, "] ", key.substr(0, 60), ": ", value.dump().substr(0, 60),
                           " is not supported (merge the adapters with PEFT, or train without)"));
  AdapterConfig config;
  auto number = [&](const char* key, double low, double high) {
    if (!json.contains(key) || !json[key].is_number()) throw wrong(key, "a number");
    auto value = json[key].get<double>();
    if (!(value >= low && value <= high)) throw wrong(key, "a number in its range");
    return value;
  };
  if (!json.contains("r") || !json["r"].is_number_integer()) throw wrong("r", "a whole number");
  config.lora.rank = static_cast<int64_t>(number("r", 1, largest_rank));
  config.lora.alpha = number("lora_alpha", 1e-9, 1e9);
  if (json.contains("lora_dropout")) config.lora.dropout = number("lora_dropout", 0, 1);
  const Json targets = json.value("target_modules", Json());
  if (!targets.is_array() || targets.empty())
    throw wrong("target_modules", "a list of names of linear layers");
  for (const Json& target : targets) {
    if (!target.is_string()) throw wrong("target_modules", "a list of names of linear layers");
    config.lora.targets.push_back(target.get<std::string>());
  }
  const Json base = json.value("base_model_name_or_path", Json());
  if (!base.is_string()) throw wrong("base_model_name_or_path", "the base model's directory");
  config.base = base.get<std::string>();
  return config;
}

}  // namespace anneal
