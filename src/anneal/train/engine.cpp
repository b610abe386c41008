#include "anneal/train/engine.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "anneal/model/language_model.hpp"
#include "anneal/optim/schedule.hpp"
#include "anneal/train/compile.hpp"

namespace anneal {
namespace {

template <class T>
void copy_to(std::span<const T> from, const TensorRef& to) {
  auto out = to.as<T>();
  ANNEAL_ASSERT(out.size() == from.size());
  std::copy(from.begin(), from.end(), out.begin());
}

std::vector<Adapter> adapters_of(const RunConfig& config, const Module& module) {
  std::vector<Adapter> adapters;
  if (config.lora.rank == 0) return adapters;
  for (const AdapterPlace& place : adapter_places(module, config.model, config.lora.targets))
    adapters.push_back({.weight = module.persistent(place.weight).name,
                        .scope = place.scope,
                        .first = place.first,
                        .features = place.features,
                        .rank = config.lora.rank,
                        .scale = config.lora.scale(),
                        .dropout = config.lora.dropout});
  return adapters;
}

Session compile_engine(const RunConfig& config, const EngineOptions& options, CpuTarget& target) {
  Module module = build_module(config, options);
  PassOptions pass = pass_options(config, module);
  return compile(std::move(module), pass, target, options.observe);
}

}  // namespace

double EvaluationResult::perplexity() const { return std::exp(loss); }

Module build_module(const RunConfig& config, const EngineOptions& options) {
  return build_language_model(config.model, {.micro_batch = config.train.micro_batch,
                                             .sequence = options.sequence,
                                             .train = options.train,
                                             .evaluate = options.evaluate,
                                             .generate = options.generate,
                                             .score_lengths = options.score_lengths,
                                             .seed = static_cast<uint64_t>(config.train.seed),
                                             .label_smoothing = config.train.label_smoothing,
                                             .z_loss = config.train.z_loss,
                                             .isolate_documents = config.data.isolates()});
}

PassOptions pass_options(const RunConfig& config, const Module& module) {
  return {.precision = config.train.precision,
          .recompute = config.train.recompute,
          .optimizer = config.optimizer,
          .clip_value = config.train.clip_value > 0,
          .adapters = adapters_of(config, module),
          .seed = static_cast<uint64_t>(config.train.seed),
          .shards = std::max<int64_t>(1, config.parallel.shards),
          .fuse = config.train.fuse};
}

double learning_rate(const RunConfig& config, int64_t step) {
  return learning_rate(step, config.optimizer.lr, config.schedule, config.train.steps,
                       tokens_per_step(config));
}

Engine::Engine(const RunConfig& config, const EngineOptions& options, CpuTarget& target)
    : Engine(config, compile_engine(config, options, target)) {}

Engine::Engine(const RunConfig& config, Session session)
    : config_(config),
      session_(std::move(session)),
      stepper_(session_, config.optimizer,
               {.clip = config.train.clip,
                .clip_value = config.train.clip_value,
                .loss_scale = config.train.loss_scale,
                .loss_scale_interval = config.train.loss_scale_interval}) {}

void Engine::fill(Executable& program, const Batch& batch, int64_t first_row, double inv_valid) {
  int64_t rows = config_.train.micro_batch;
  copy_to(batch.token_rows(first_row, rows), program.input("tokens"));
  copy_to(batch.target_rows(first_row, rows), program.input("targets"));
  if (program.has_input("positions"))
    copy_to(batch.position_rows(first_row, rows), program.input("positions"));
  set_scalar(program, "inv_valid", static_cast<float>(inv_valid));
  set_scalar(program, "first_sample", batch.first_sample + first_row);
}

GradientResult Engine::gradients(const Batch& batch) {
  if (batch.valid_tokens == 0)
    throw Error(str("no target of step ", batch.step + 1, " counts: its loss mask is empty"));
  const auto& train = config_.train;
  int64_t shards = std::max<int64_t>(1, config_.parallel.shards);
  int64_t runs = train.batch / shards / train.micro_batch;
  double inv_valid = 1.0 / static_cast<double>(batch.valid_tokens);
  auto fill_run = [&](Executable& program, int64_t i) {
    fill(program, batch, i * train.micro_batch, inv_valid);
  };
  // By reference, since std::function would allocate for what the lambda holds.
  return stepper_.gradients(shards, runs, std::ref(fill_run));
}

EvaluationResult Engine::evaluate(EvaluationReader& reader,
                                  const std::function<void(const Batch&)>& on_batch) {
  Executable& program = session_.program("evaluate");
  EvaluationResult result;
  double correct = 0;
  for (int64_t i = 0; i < reader.batches(); ++i) {
    const Batch& batch = reader.read(i);
    // With a weight of 1 the loss is a sum, which FP32 holds to 1e-7 of itself.
    fill(program, batch, 0, 1.0);
    program.run();
    result.total_nll += scalar_output(program, "loss");
    correct += scalar_output(program, "correct");
    result.targets += batch.valid_tokens;
    if (on_batch) on_batch(batch);
  }
  if (result.targets == 0) throw Error("no target of the evaluation data counts");
  result.loss = result.total_nll / static_cast<double>(result.targets);
  result.accuracy = correct / static_cast<double>(result.targets);
  return result;
}

}  // namespace anneal
