#include "anneal/train/generation_bench.hpp"

#include <algorithm>
#include <map>

#include "anneal/base/rng.hpp"
#include "anneal/device/cpu/median.hpp"
#include "anneal/ops/attention_cached/attention_cached.hpp"
#include "anneal/train/generator.hpp"

namespace anneal {
namespace {

std::vector<int32_t> random_tokens(int64_t count, int64_t vocab_size) {
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < count; ++i) {
    auto word = philox(hash64("prompt", 1), static_cast<uint64_t>(i), 0)[0];
    tokens.push_back(static_cast<int32_t>(word % static_cast<uint64_t>(vocab_size)));
  }
  return tokens;
}

}  // namespace

double weight_bytes_read(const Module& module, const Program& program) {
  std::map<int32_t, double> read;
  for (NodeId n : program.order) {
    const Node& node = program.node(n);
    double moved = cost_of(*node.op, program.call(n)).bytes;
    for (Value v : node.inputs) {
      if (!v || program.info(v).persistent < 0) continue;
      const Persistent& p = module.persistent(program.info(v).persistent);
      if (p.kind != PersistentKind::parameter && p.kind != PersistentKind::copy) continue;
      double& bytes = read[program.info(v).persistent];
      bytes = std::max(bytes, std::min(moved, static_cast<double>(p.type.bytes())));
    }
  }
  double total = 0;
  for (const auto& [persistent, bytes] : read) total += bytes;
  return total;
}

double cache_bytes_read(const Module& module, const Program& program, int64_t length) {
  double bytes = 0;
  for (NodeId n : program.order) {
    const Node& node = program.node(n);
    for (Value v : node.inputs) {
      if (!v || program.info(v).persistent < 0) continue;
      const Persistent& p = module.persistent(program.info(v).persistent);
      if (p.kind != PersistentKind::cache) continue;
      double share = 1;
      if (node.op == &attention_cached_op()) {
        int64_t seen = std::min(length, node.attrs.as<AttentionAttrs>().reach()) + 1;
        share = static_cast<double>(seen) / static_cast<double>(p.type.shape[1]);
      }
      bytes += share * static_cast<double>(p.type.bytes());
    }
  }
  return bytes;
}

GenerationMeasurement measure_generation(Engine& engine, const GenerationBenchOptions& options) {
  const ModelConfig& config = engine.config().model;
  if (options.prompt + options.tokens > config.context)
    throw UsageError(str("[bench generate] --prompt and --tokens together are ",
                         options.prompt + options.tokens, " tokens, the model reads ",
                         config.context, " (lower one of them)"));
  const Module& module = engine.session().module();
  GenerationMeasurement m{
      .prompt = options.prompt, .tokens = options.tokens, .repeats = options.repeats};
  const Program& token = module.programs.at("generate.1");
  m.weight_bytes = weight_bytes_read(module, token);
  m.cache_bytes = cache_bytes_read(module, token, options.prompt + options.tokens / 2);

  Generator generator(engine.session(), config);
  auto prompt = random_tokens(options.prompt, config.vocab_size);
  SamplingOptions likeliest;
  likeliest.temperature = 0;
  std::vector<double> prompt_seconds, token_seconds, read_bytes, fractions;
  double read_before = 0;
  for (int64_t i = 0; i <= options.repeats; ++i) {
    generator.reset();
    auto result = generate(generator, prompt, options.tokens, likeliest, config.vocab_size, {},
                           [](int32_t) { return true; });
    double read_after = measure_read_bytes();
    if (i > 0) {  // the first one touches what later ones find in place
      double seconds = result.generation_seconds / static_cast<double>(options.tokens - 1);
      prompt_seconds.push_back(result.prompt_seconds);
      token_seconds.push_back(seconds);
      read_bytes.push_back((read_before + read_after) / 2);
      fractions.push_back((m.weight_bytes + m.cache_bytes) / seconds / read_bytes.back());
    }
    read_before = read_after;
  }
  m.prompt_seconds = median(prompt_seconds);
  m.token_seconds = median(token_seconds);
  m.read_bytes = median(read_bytes);
  m.bandwidth_fraction = median(fractions);
  return m;
}

}  // namespace anneal
