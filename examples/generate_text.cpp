// A language model from text to text, with an optimizer that the library does not have. Trains a
// small Llama on this repository's pages with Lion (Chen et al., arXiv:2302.06675), lets it write,
// and records one step of it as a Chrome trace.
//   generate_text [TRACE.json [TEXT…]]
#include <cmath>
#include <cstdio>

#include "anneal/data/prepare.hpp"
#include "anneal/data/tokenizer.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/optim/optimizer.hpp"
#include "anneal/train/generator.hpp"
#include "anneal/train/profile_files.hpp"
using namespace anneal;

// Each element moves by lr against the sign of β1·m + (1−β1)·g; m is the decaying mean of g.
Value lion_update(UpdateBuilder& u, const OptimizerConfig& c) {
  Builder& b = u.builder();
  Value g = u.gradient();
  Value mixed = add(b, scale(b, u.moment("m"), c.beta1), scale(b, g, 1 - c.beta1));
  Value sign = sub(b, apply(b, Ew::step, mixed), apply(b, Ew::step, scale(b, mixed, -1)));
  decaying_mean(u, "m", g, c.beta2, 1 - c.beta2);
  return sub(b, decayed(u, c), mul(b, sign, u.scalar("lr")));
}
NamedScalars lion_scalars(const OptimizerConfig& c, int64_t, double lr) {
  return {{"lr", lr}, {"decay_factor", 1 - lr * c.weight_decay}};
}
const Optimizer lion{"lion", lion_update, lion_scalars};

// Entropy of single tokens: the loss of a model that knows how often each occurs and no more.
double unigram_loss(const TokenDataset& data) {
  std::vector<int32_t> tokens(static_cast<size_t>(data.tokens()));
  data.read(0, tokens);
  std::vector<double> counts(static_cast<size_t>(data.vocab_size()));
  for (int32_t token : tokens) ++counts[static_cast<size_t>(token)];
  double loss = 0, total = static_cast<double>(tokens.size());
  for (double n : counts) loss -= n > 0 ? n / total * std::log(n / total) : 0;
  return loss;
}

int main(int argc, char** argv) {
  RunConfig config;
  config.model = {.family = "llama", .layers = 2, .heads = 4, .kv_heads = 4, .width = 64};
  config.model.hidden = 192, config.model.context = 64, config.model.tie_embeddings = false;
  config.data = {.train = {ANNEAL_SOURCE_DIR "/docs/*.md"}, .tokenizer = "byte"};
  config.train = {.steps = 600, .batch = 16, .micro_batch = 16};
  config.optimizer = {.lr = 1e-3, .beta1 = 0.9, .beta2 = 0.95, .custom = &lion};
  config.schedule = {.warmup_steps = 40, .min_lr = 0};
  config.parallel.threads = 1;  // programs this small are not worth sharing
  if (argc > 2) config.data.train.assign(argv + 2, argv + argc);
  set_threads(config.parallel.threads);

  TemporaryDirectory folder;
  PreparedData data = prepare_data(config.data, {.directory = folder.path()});
  resolve_from_data(config, data);
  CpuTarget target;
  Engine engine(config, {.evaluate = false, .generate = true}, target);
  engine.session().initialise(1);
  BatchLoader loader(data.train, {.context = config.model.context, .batch = config.train.batch});
  double loss = 0;  // mean of the last fifty steps
  for (int64_t s = 0; s < config.train.steps; ++s) {
    GradientResult result = engine.gradients(loader.next());
    engine.stepper().update(s, learning_rate(config, s), result.grad_norm);
    if (s % 100 == 0) std::printf("step %3d  loss %.3f\n", static_cast<int>(s + 1), result.loss);
    if (s >= config.train.steps - 50) loss += result.loss / 50;
  }
  double unigram = unigram_loss(data.train);
  std::printf("last 50   loss %.3f; of single bytes %.3f\n\n", loss, unigram);

  Generator generator(engine.session(), config.model);
  std::string text = "The ";
  auto written = generate(generator, data.tokenizer->encode(text), 200, {.temperature = 0.7},
                          config.model.vocab_size, {}, [](int32_t) { return true; });
  text += data.tokenizer->decode(written.tokens, true);

  std::filesystem::path trace = std::filesystem::temp_directory_path() / "generate_text.json";
  if (argc > 1) trace = argv[1];
  Recording recording(config, 1);
  write_trace(recording, trace);
  size_t nodes = recording.steps().at(0).nodes.size();
  std::printf("%s\n\nthe %zu nodes of a step: %s\n", text.c_str(), nodes, trace.c_str());
  return loss < unigram - 0.8 && written.tokens.size() > 100 && nodes > 0 ? 0 : 1;
}
