#include "anneal/train/loaded_model.hpp"

namespace anneal {

std::unique_ptr<LoadedModel> load_model(const std::filesystem::path& path,
                                        const LoadModelOptions& options) {
  auto model = std::make_unique<LoadedModel>();
  model->directory = open_model_directory(path);
  RunConfig config;
  config.model = model->directory.config;
  if (model->directory.adapter) config.lora = model->directory.adapter->lora;
  config.train.precision = options.precision;
  config.train.micro_batch = config.train.batch = options.micro_batch;
  model->engine = std::make_unique<Engine>(config,
                                           EngineOptions{.train = false,
                                                         .evaluate = options.evaluate,
                                                         .generate = options.generate,
                                                         .score_lengths = options.score_lengths},
                                           model->target);
  load_model_tensors(model->engine->session(), config.model, ModelWeights(model->directory.base));
  if (model->directory.adapter)
    load_adapter_tensors(model->engine->session(), config.model, config.lora,
                         SafetensorsFile(model->directory.path / adapter_file_name));
  return model;
}

}  // namespace anneal
