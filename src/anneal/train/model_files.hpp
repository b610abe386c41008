#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "anneal/checkpoint/adapter_config.hpp"
#include "anneal/checkpoint/checkpoint_writer.hpp"
#include "anneal/checkpoint/model_weights.hpp"
#include "anneal/checkpoint/resume.hpp"
#include "anneal/data/check.hpp"
#include "anneal/data/tokenizer.hpp"
#include "anneal/runtime/executable.hpp"
#include "anneal/train/config.hpp"
#include "anneal/train/loss_scale.hpp"

namespace anneal {

// Between a session's values and the files of a model directory or a checkpoint.

// The parameters under their Hugging Face names, where they lie in the arena.
std::vector<TensorView> model_tensors(const Session& session, const ModelConfig& config);
// Moments and whatever else an exact resume needs.
std::vector<TensorView> state_tensors(const Session& session);

// Copies every tensor of the model into the parameters and refreshes their copies. Throws
// FormatError naming a tensor that is missing, unexpected or of another shape.
void load_model_tensors(Session& session, const ModelConfig& config, const ModelWeights& weights);
// The same for adapters, in files as PEFT lays them out.
std::vector<TensorView> adapter_tensors(const Session& session, const ModelConfig& config,
                                        const LoraConfig& lora);
void load_adapter_tensors(Session& session, const ModelConfig& config, const LoraConfig& lora,
                          const SafetensorsFile& file);
// Adds what the adapters add to the weights themselves, which are in FP32, and sets the adapters to
// zero.
void merge_adapters(Session& session, const ModelConfig& config, const LoraConfig& lora);
void load_state_tensors(Session& session, const SafetensorsFile& file);

// A model directory, or the newest valid checkpoint of a run, opened for use.
struct ModelDirectory {
  std::filesystem::path path;
  std::filesystem::path base;            // of the weights: path, or what the adapters there adapt
  std::filesystem::path tokens;          // of tokenizer.json and the chat template: path or base
  std::optional<AdapterConfig> adapter;  // of the adapters in path
  ModelConfig config;
  std::shared_ptr<const Tokenizer> tokenizer;  // null if there is no tokenizer.json
  std::vector<int64_t> end_ids;                // ids that end a text
};
ModelDirectory open_model_directory(const std::filesystem::path& path);

// config.json, generation_config.json and, with a tokenizer, tokenizer.json and its config. Of a
// model that started from another one (`origin`, if not null) with the same tokenizer, the files
// about tokens are those of the other: they say what ends a text and hold its chat template.
std::vector<std::pair<std::string, std::string>> model_directory_files(
    const ModelConfig& config, const Tokenizer* tokenizer, const ModelDirectory* origin = nullptr);

// A hash of all files of weights in a model directory.
std::string checksum_of_weights(const std::filesystem::path& directory);

// The ids that end a text for the model in `directory`; none if it holds none.
std::vector<int64_t> end_ids_of(const std::filesystem::path& directory);

// What a config asks of its data, the tokens that end a text for the model of model.init among it.
DataRequirements data_requirements(const RunConfig& config);

// What a checkpoint says about where the run stood.
struct RunState {
  int64_t step = 0;           // updates done; also the loader's position
  int64_t tokens = 0;         // seen so far
  int64_t data_tokens = -1;   // of the training data; -1: not recorded
  std::string data_checksum;  // of its tokens; "": unknown
  std::string base_checksum;  // of the weights that adapters adapt; "": there are none
  std::string instruction_set;
  std::string library;  // that computes the matrix products; "": not recorded
  std::optional<LossScale::State> loss_scale;  // of a run that scales the loss
};
std::string run_state_json(const RunState& state);
RunState parse_run_state(std::string_view json, const std::string& where);

}  // namespace anneal
