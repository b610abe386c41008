#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "anneal/cli/command.hpp"
#include "anneal/cli/config_file.hpp"
#include "anneal/cli/plan_report.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/train/generation_bench.hpp"
#include "anneal/train/loaded_model.hpp"
#include "anneal/train/memory_plan.hpp"

namespace anneal {
namespace {

struct GenerateArguments {
  std::string model;
  std::string precision = "fp32";
  GenerationBenchOptions options;
  int64_t threads = 0;
  bool json = false;
};

// A model directory as `generate` loads it, or a config's model with its first weights.
std::unique_ptr<LoadedModel> model_of(const GenerateArguments& a) {
  if (!a.model.ends_with(".toml"))
    return load_model(open_model_directory(a.model),
                      {.generate = true,
                       .context = a.options.prompt + a.options.tokens,
                       .precision = a.precision});
  auto model = std::make_unique<LoadedModel>();
  RunConfig config = load_config(a.model, {}, DataRule::optional).config;
  if (config.model.vocab_size == 0) config.model.vocab_size = vocabulary_of(config);
  check_fits(config.model);
  limit_context(config.model, a.options.prompt + a.options.tokens);
  config.train.precision = a.precision;
  config.train.micro_batch = config.train.batch = 1;
  model->engine = std::make_unique<Engine>(
      config, EngineOptions{.train = false, .evaluate = false, .generate = true}, model->target);
  model->engine->session().initialise(config.train.seed);
  return model;
}

ExitCode bench_generate(const GenerateArguments& a) {
  const auto& o = a.options;
  static constexpr int64_t most = int64_t{1} << 30;
  auto check = [](const char* option, int64_t least, int64_t value) {
    if (value < least || value > most)
      throw UsageError(str("[", option, "] expected ", least, " to ", most, ", got ", value));
  };
  check("--prompt", 1, o.prompt);
  check("--tokens", 2, o.tokens);
  check("--repeats", 1, o.repeats);
  check_precision_option(a.precision);
  set_threads(a.threads);
  auto model = model_of(a);
  GenerationMeasurement m = measure_generation(*model->engine, o);
  int64_t parameters = model->engine->session().module().parameter_elements();
  if (a.json) {
    nlohmann::ordered_json json = {{"parameters", parameters},
                                   {"precision", a.precision},
                                   {"threads", thread_count()},
                                   {"prompt_tokens", m.prompt},
                                   {"tokens", m.tokens},
                                   {"repeats", m.repeats},
                                   {"prompt_tokens_per_second", m.prompt_tokens_per_second()},
                                   {"tokens_per_second", m.tokens_per_second()},
                                   {"weight_bytes", m.weight_bytes},
                                   {"cache_bytes", m.cache_bytes},
                                   {"bytes_per_second", m.bytes_per_second()},
                                   {"read_bytes_per_second", m.read_bytes},
                                   {"bandwidth_fraction", m.bandwidth_fraction}};
    std::cout << json.dump(2) << '\n';
    return ExitCode::ok;
  }
  std::printf("%s, %s: %.2fM parameters, %d threads, medians of %lld\n\n", a.model.c_str(),
              a.precision.c_str(), static_cast<double>(parameters) / 1e6,
              static_cast<int>(thread_count()), static_cast<long long>(m.repeats));
  std::printf("prompt      %10.1f tokens/s, %lld tokens in %.1f ms\n", m.prompt_tokens_per_second(),
              static_cast<long long>(m.prompt), m.prompt_seconds * 1e3);
  std::printf("text        %10.1f tokens/s, %.2f ms a token\n", m.tokens_per_second(),
              m.token_seconds * 1e3);
  std::printf("a token     %10.1f MiB of weights, %.1f of keys and values\n",
              m.weight_bytes / 0x1p20, m.cache_bytes / 0x1p20);
  std::printf("bandwidth   %10.1f GB/s; %.0f %% of what reading memory made around each text\n",
              m.bytes_per_second() * 1e-9, m.bandwidth_fraction * 100);
  std::printf("reading     %10.1f GB/s\n", m.read_bytes * 1e-9);
  return ExitCode::ok;
}

}  // namespace

Command bench_generate_command() {
  return {.name = "bench generate",
          .summary = "Measure how fast a model reads a prompt and writes text",
          .example = "bench generate runs/demo --precision bf16",
          .setup = [](Arguments& a) {
            auto g = std::make_shared<GenerateArguments>();
            a.positional("MODEL", g->model,
                         "A model directory, a checkpoint, a run folder, or a config, FILE.toml, "
                         "whose model then has its first weights");
            a.option("--prompt", "N", g->options.prompt, "Tokens to read");
            a.option("--tokens", "N", g->options.tokens, "Tokens to write after them");
            a.option("--repeats", "N", g->options.repeats, "Texts to measure");
            a.option("--precision", "P", g->precision,
                     "Of weights in products: fp32, bf16 or fp16");
            a.option("--threads", "N", g->threads, "Threads; 0: all cores");
            a.flag("--json", g->json, "Print JSON");
            return [g] { return bench_generate(*g); };
          }};
}

}  // namespace anneal
