#include "anneal/train/workload.hpp"

#include <algorithm>
#include <vector>

#include "anneal/base/rng.hpp"
#include "anneal/data/tokenizer.hpp"
#include "anneal/device/cpu/matmul.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/monitor/process_stats.hpp"
#include "anneal/train/memory_plan.hpp"
#include "anneal/train/model_files.hpp"
#include "anneal/train/signals.hpp"

namespace anneal {
namespace {

constexpr int64_t most_random_tokens = int64_t{1} << 24;

// Writes a bare shard of uint32 tokens, uniformly random.
void write_random_tokens(const std::filesystem::path& bin, int64_t count, int64_t vocab_size,
                         uint64_t seed) {
  FileWriter file(bin);
  std::vector<uint32_t> block(4096);
  for (int64_t begin = 0; begin < count; begin += static_cast<int64_t>(block.size())) {
    auto n = static_cast<size_t>(std::min(count - begin, static_cast<int64_t>(block.size())));
    for (size_t i = 0; i < n; ++i) {
      uint32_t word = philox(seed, static_cast<uint64_t>(begin) + i, 0)[0];
      block[i] = static_cast<uint32_t>(uint64_t{word} * static_cast<uint64_t>(vocab_size) >> 32);
    }
    file.write(block.data(), n * sizeof(uint32_t));
  }
}

}  // namespace

void resolve_from_data(RunConfig& config, const PreparedData& data) {
  if (config.model.vocab_size == 0)
    config.model.vocab_size =
        data.tokenizer ? data.tokenizer->vocab_size() : data.train.vocab_size();
  if (config.parallel.shards == 0) config.parallel.shards = 1;
  if (!data.has_validation()) config.train.eval_every = 0;
  if (!data.tokenizer) config.train.sample_every = 0;
}

WorkloadData::WorkloadData(RunConfig config, int64_t steps) {
  ANNEAL_ASSERT(steps >= 1 && steps <= 4 * Workload::most_steps, "a workload of ", steps, " steps");
  set_threads(config.parallel.threads);
  check_fits(config.model);
  if (config.data.train.empty()) {
    auto bin = directory_.path() / "random.bin";
    int64_t of_step = tokens_per_step(config);
    int64_t tokens = of_step > most_random_tokens ? of_step : of_step * steps;
    write_random_tokens(bin, std::min(tokens, most_random_tokens) + config.model.context + 1,
                        config.model.vocab_size, static_cast<uint64_t>(config.train.seed));
    config.data.train = {bin.string()};
    config.data.dtype = "uint32";
    config.data.isolate_documents = false;  // there is one
    config.data.packing = "stream";
  }
  prepared_.emplace(prepare_data(config.data, {.directory = directory_.path() / "data",
                                               .threads = static_cast<int>(config.parallel.threads),
                                               .requirements = data_requirements(config)}));
}

Workload::Workload(const RunConfig& config, CpuTarget& target, int64_t steps,
                   std::function<void()> before_batch)
    : Workload(config, target, std::make_shared<WorkloadData>(config, steps),
               std::move(before_batch)) {}

Workload::Workload(RunConfig config, CpuTarget& target, std::shared_ptr<const WorkloadData> data,
                   std::function<void()> before_batch)
    : config_(std::move(config)), data_(std::move(data)) {
  set_threads(config_.parallel.threads);
  resolve_from_data(config_, data_->prepared());
  check_fits(config_.model);
  config_.train.eval_every = config_.train.sample_every = 0;
  auto seed = static_cast<uint64_t>(config_.train.seed);
  cpu_matmul_prepare_threads();
  baseline_bytes_ = ProcessSampler().sample().anon_bytes;
  engine_ = std::make_unique<Engine>(config_, EngineOptions{.evaluate = false}, target);
  engine_->session().initialise(seed);
  loader_ = std::make_unique<BatchLoader>(data_->prepared().train,
                                          LoaderOptions{.context = config_.model.context,
                                                        .batch = config_.train.batch,
                                                        .micro_batch = config_.train.micro_batch,
                                                        .shuffle = config_.data.shuffle,
                                                        .seed = seed,
                                                        .prefetch = config_.data.prefetch,
                                                        .before_batch = std::move(before_batch)});
  planned_bytes_ = anneal::planned_bytes(config_, session().module(), session().plan(), target);
}

StepTimes Workload::step() {
  if (StopSignals::requested()) throw Error("interrupted", ExitCode::interrupted);
  StepTimes times{.begin = now_ns()};
  const Batch& batch = loader_->next();
  times.fetched = now_ns();
  GradientResult result = engine_->gradients(batch);
  if (!result.finite())
    throw DivergedError(str("step ", steps_done_ + 1, ": loss ", result.loss, ", gradient norm ",
                            result.grad_norm));
  times.computed = now_ns();
  times.loss = result.loss;
  engine_->stepper().update(steps_done_, learning_rate(config_, steps_done_), result.grad_norm);
  ++steps_done_;
  times.end = now_ns();
  return times;
}

}  // namespace anneal
