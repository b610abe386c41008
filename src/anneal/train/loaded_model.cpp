#include "anneal/train/loaded_model.hpp"

namespace anneal {

std::unique_ptr<LoadedModel> load_model(const std::filesystem::path& path,
                                        const LoadModelOptions& options) {
  auto model = std::make_unique<LoadedModel>();
  model->directory = open_model_directory(path);
  RunConfig config;
  config.model = model->directory.config;
  config.train.micro_batch = config.train.batch = options.micro_batch;
  model->engine = std::make_unique<Engine>(
      config,
      EngineOptions{.train = false, .evaluate = options.evaluate, .generate = options.generate},
      model->target);
  load_model_tensors(model->engine->session(), config.model, ModelWeights(model->directory.path));
  return model;
}

}  // namespace anneal
