#include "anneal/train/loaded_model.hpp"

#include <algorithm>

namespace anneal {

void check_precision_option(const std::string& precision) {
  if (precision != "fp32" && precision != "bf16" && precision != "fp16")
    throw UsageError(str("[--precision] expected fp32, bf16 or fp16, got \"", precision, "\""));
}

void limit_context(ModelConfig& config, int64_t tokens) {
  if (config.traits().rotary) config.context = std::min(config.context, tokens);
}

std::unique_ptr<LoadedModel> load_model(ModelDirectory directory, const LoadModelOptions& options) {
  auto model = std::make_unique<LoadedModel>();
  model->directory = std::move(directory);
  RunConfig config;
  config.model = model->directory.config;
  if (options.context > 0) limit_context(config.model, options.context);
  if (model->directory.adapter) config.lora = model->directory.adapter->lora;
  config.train.precision = options.precision;
  config.train.micro_batch = config.train.batch = options.micro_batch;
  EngineOptions engine{.train = false,
                       .evaluate = options.evaluate,
                       .generate = options.generate,
                       .sequence = options.sequence,
                       .score_lengths = options.score_lengths};
  try {
    model->engine = std::make_unique<Engine>(config, engine, model->target);
  } catch (const UsageError& error) {
    constexpr std::string_view key = "[lora.targets]";
    std::string_view message = error.what();
    if (!message.starts_with(key)) throw;
    // The adapters' own file asked for them.
    throw UsageError(str("[", (model->directory.path / adapter_config_name).string(),
                         "] target_modules:", message.substr(key.size())));
  }
  load_model_tensors(model->engine->session(), config.model, ModelWeights(model->directory.base));
  if (model->directory.adapter)
    load_adapter_tensors(model->engine->session(), config.model, config.lora,
                         SafetensorsFile(model->directory.path / adapter_file_name));
  return model;
}

}  // namespace anneal
