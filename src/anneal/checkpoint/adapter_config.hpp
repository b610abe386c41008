#pragma once

#include <string>
#include <string_view>

#include "anneal/model/adapters.hpp"

namespace anneal {

inline constexpr std::string_view adapter_file_name = "adapter_model.safetensors";
inline constexpr std::string_view adapter_config_name = "adapter_config.json";

// What adapter_config.json of Hugging Face's PEFT says of a folder of LoRA adapters.
struct AdapterConfig {
  LoraConfig lora;
  std::string base;  // directory of the model that they adapt
};

// The text of adapter_config.json. `targets` are the adapted layers by name, none left to derive;
// `conv1d` says that weights are stored [in, out], as GPT-2's are.
std::string adapter_config_json(const AdapterConfig& config, bool conv1d);

// Throws FormatError unless `json` is an object of the right types, and UsageError, naming the key,
// if it asks for what is not done here: another method than LoRA, trained biases or whole modules,
// other ranks in some layers, rank-stabilised or weight-decomposed adapters.
AdapterConfig parse_adapter_config(std::string_view json, const std::string& where);

}  // namespace anneal
