#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "anneal/base/file.hpp"
#include "anneal/cli/command.hpp"
#include "anneal/data/check.hpp"
#include "anneal/data/prepare.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/train/bytes.hpp"
#include "anneal/train/loaded_model.hpp"

namespace anneal {
namespace {

struct EvalArguments {
  std::string model;
  std::vector<std::string> data;
  int64_t batch = 8;
  int64_t threads = 0;
  std::string dtype;
  bool json = false;
};

ExitCode run(const EvalArguments& a) {
  if (a.batch < 1 || a.batch > 4096)
    throw UsageError(str("[--batch] expected 1 to 4096, got ", a.batch));
  set_threads(a.threads);
  ModelDirectory directory = open_model_directory(a.model);
  DataConfig config;
  config.train = a.data;
  config.dtype = a.dtype;
  config.tokenizer = directory.tokenizer ? (directory.tokens / "tokenizer.json").string() : "byte";
  if (!directory.tokenizer && check_data(config, {}).format == DataSummary::Format::text)
    throw UsageError(str("[--model] ", directory.path.string(),
                         " has no tokenizer.json, so it can be measured on token shards only, not "
                         "on text"));
  TemporaryDirectory scratch;
  PrepareOptions options;
  options.directory = scratch.path();
  options.threads = static_cast<int>(a.threads);
  // Whether there is enough for one sequence is for the reader to say, which names --data.
  options.requirements = {.vocab_size = directory.config.vocab_size};
  PreparedData data = prepare_data(config, options);
  auto model = load_model(directory.path, {.evaluate = true, .micro_batch = a.batch});
  int64_t samples = data.train.samples(directory.config.context);
  EvaluationReader reader(data.train, directory.config.context, a.batch,
                          (samples + a.batch - 1) / a.batch, "--data");
  int64_t bytes = 0;
  auto result = model->engine->evaluate(reader, [&](const Batch& batch) {
    if (directory.tokenizer) bytes += target_bytes(batch, *directory.tokenizer);
  });
  double bits_per_byte =
      bytes > 0 ? result.total_nll / std::log(2.0) / static_cast<double>(bytes) : 0;
  if (a.json) {
    nlohmann::ordered_json json = {{"loss", result.loss},
                                   {"perplexity", result.perplexity()},
                                   {"accuracy", result.accuracy},
                                   {"tokens", result.targets}};
    json["bits_per_byte"] = bytes > 0 ? nlohmann::ordered_json(bits_per_byte) : nullptr;
    json["bytes"] = bytes;
    std::cout << json.dump(2) << '\n';
    return ExitCode::ok;
  }
  std::printf("loss           %.6f\nperplexity     %.4f\naccuracy       %.4f\n", result.loss,
              result.perplexity(), result.accuracy);
  if (bytes > 0) std::printf("bits per byte  %.4f\n", bits_per_byte);
  std::printf("tokens         %lld\n", static_cast<long long>(result.targets));
  return ExitCode::ok;
}

}  // namespace

Command eval_command() {
  return {.name = "eval",
          .summary = "Measure a model on files: loss, perplexity, accuracy, bits per byte",
          .example = "eval --model runs/demo --data heldout.txt",
          .setup = [](Arguments& a) {
            auto e = std::make_shared<EvalArguments>();
            a.option("--model", "DIR", e->model, "A model directory, a checkpoint or a run folder",
                     true);
            a.option("--data", "FILE", e->data, "Text, JSONL or token shards; may be repeated",
                     true);
            a.option("--batch", "N", e->batch, "Sequences at a time");
            a.option("--dtype", "TYPE", e->dtype, "Of a bare .bin: uint16 or uint32");
            a.option("--threads", "N", e->threads, "Threads; 0: all cores");
            a.flag("--json", e->json, "Print JSON");
            return [e] { return run(*e); };
          }};
}

}  // namespace anneal
