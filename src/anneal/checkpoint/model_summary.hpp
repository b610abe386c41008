#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "anneal/model/config.hpp"

namespace anneal {

struct TensorSummary {
  std::string name;
  std::string dtype;           // as its format calls it, in lower case
  std::vector<int64_t> shape;  // row-major
  int64_t bytes = 0;
};

// What a file or directory of weights holds, whether or not Anneal can run it.
struct ModelSummary {
  std::string format;        // "Hugging Face directory", "PEFT adapters", "safetensors", "GGUF 3"
  std::string adapters;      // rank, layers and base of adapters; "": not such
  std::string architecture;  // "": not said
  std::string unsupported;   // why Anneal cannot run it; "": it can, or nothing is said
  std::optional<ModelConfig> config;  // of a model that Anneal can run
  std::vector<TensorSummary> tensors;
  std::string tokenizer;      // a few words; "": none
  std::string chat_template;  // "": none

  int64_t parameters() const;
  int64_t bytes() const;
};

// `path`: a Hugging Face model directory, a checkpoint, a run folder, a safetensors or GGUF file.
ModelSummary summarise_model(const std::filesystem::path& path);

}  // namespace anneal
