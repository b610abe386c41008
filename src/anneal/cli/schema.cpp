#include "anneal/cli/schema.hpp"

namespace anneal {
namespace {

// The field that a member of RunConfig, or a member of one of its sections, is.
template <auto Member>
Field top(RunConfig& config) {
  return &(config.*Member);
}

template <auto Part, auto Member>
Field in(RunConfig& config) {
  return &(config.*Part.*Member);
}

Field validation(RunConfig& config) {
  return ValidationField{&config.data.validation_fraction, &config.data.validation_files};
}

template <auto Member>
constexpr auto model = &in<&RunConfig::model, Member>;
template <auto Member>
constexpr auto data = &in<&RunConfig::data, Member>;
template <auto Member>
constexpr auto train = &in<&RunConfig::train, Member>;
template <auto Member>
constexpr auto optimizer = &in<&RunConfig::optimizer, Member>;
template <auto Member>
constexpr auto schedule = &in<&RunConfig::schedule, Member>;
template <auto Member>
constexpr auto parallel = &in<&RunConfig::parallel, Member>;
template <auto Member>
constexpr auto checkpoint = &in<&RunConfig::checkpoint, Member>;
template <auto Member>
constexpr auto monitor = &in<&RunConfig::monitor, Member>;

constexpr Range between(double min, double max) { return {min, max, false, false}; }
constexpr Range at_least(double min) {
  return {min, std::numeric_limits<double>::infinity(), false, false};
}
constexpr Range above(double min) {
  return {min, std::numeric_limits<double>::infinity(), true, false};
}
constexpr Range below_one() { return {0, 1, false, true}; }

// Upper limits of counts: far above any real run, and low enough that products of a few of them
// fit 64 bits.
constexpr double most_steps = 1e9;
constexpr double most_sequences = 1 << 20;
constexpr double most_tokens = 1 << 20;
constexpr double widest = 1 << 20;

using M = ModelConfig;
using D = DataConfig;
using T = TrainConfig;
using O = OptimizerConfig;
using S = ScheduleConfig;

constexpr Section sections[] = {
    {"", "Above all sections."},
    {"model", "The network."},
    {"data", "What it is trained on. Paths are relative to the working directory."},
    {"train", "The loop."},
    {"optimizer", "The update rule."},
    {"schedule", "The learning rate over the steps."},
    {"parallel", "How the work is divided."},
    {"checkpoint", "What is saved, and when."},
    {"monitor", "What is reported, and when."},
};

const std::vector<Key>& keys() {
  static const std::vector<Key> list = {
      {.section = "",
       .name = "name",
       .field = top<&RunConfig::name>,
       .doc = "name of the run; its folder is runs/NAME",
       .unit = ""},

      {.section = "model",
       .name = "family",
       .field = model<&M::family>,
       .doc = "architecture",
       .unit = "",
       .choices = {"gpt2", "llama"},
       .fixed_on_resume = true},
      {.section = "model",
       .name = "layers",
       .field = model<&M::layers>,
       .doc = "number of blocks",
       .unit = "blocks",
       .range = between(1, 65536),
       .fixed_on_resume = true},
      {.section = "model",
       .name = "heads",
       .field = model<&M::heads>,
       .doc = "attention heads; must divide width",
       .unit = "heads",
       .range = between(1, 65536),
       .fixed_on_resume = true},
      {.section = "model",
       .name = "kv_heads",
       .field = model<&M::kv_heads>,
       .doc = "heads of keys and values (llama); must divide heads; 0: as many as heads",
       .unit = "heads",
       .range = between(0, 65536),
       .fixed_on_resume = true},
      {.section = "model",
       .name = "width",
       .field = model<&M::width>,
       .doc = "width of the residual stream",
       .unit = "features",
       .range = between(1, widest),
       .fixed_on_resume = true},
      {.section = "model",
       .name = "hidden",
       .field = model<&M::hidden>,
       .doc = "width of the feed-forward layer; 0: 4·width for gpt2, while llama must state it",
       .unit = "features",
       .range = between(0, 16 * widest),
       .fixed_on_resume = true},
      {.section = "model",
       .name = "context",
       .field = model<&M::context>,
       .doc = "length of a training sequence, and the longest the model can read",
       .unit = "tokens",
       .range = between(1, most_tokens),
       .fixed_on_resume = true},
      {.section = "model",
       .name = "vocab_size",
       .field = model<&M::vocab_size>,
       .doc = "rows of the embedding; 0: the tokenizer's; needed for bare token shards",
       .unit = "tokens",
       .range = between(0, 1 << 24),
       .fixed_on_resume = true},
      {.section = "model",
       .name = "dropout",
       .field = model<&M::dropout>,
       .doc = "probability with which an activation is dropped in training",
       .unit = "",
       .range = below_one(),
       .fixed_on_resume = true},
      {.section = "model",
       .name = "tie_embeddings",
       .field = model<&M::tie_embeddings>,
       .doc = "the output head uses the embedding's weights",
       .unit = "",
       .fixed_on_resume = true},
      {.section = "model",
       .name = "norm_eps",
       .field = model<&M::norm_eps>,
       .doc = "added to the variance in LayerNorm and RMSNorm",
       .unit = "",
       .range = above(0),
       .fixed_on_resume = true},
      {.section = "model",
       .name = "rope_theta",
       .field = model<&M::rope_theta>,
       .doc = "base of the rotary position embedding (llama)",
       .unit = "",
       .range = above(0),
       .fixed_on_resume = true},
      {.section = "model",
       .name = "init",
       .field = model<&M::init>,
       .doc = "Hugging Face model directory to start from; empty: random initial weights",
       .unit = "",
       .fixed_on_resume = true},

      {.section = "data",
       .name = "train",
       .field = data<&D::train>,
       .doc = "text, JSONL or token shards to train on; globs, each sorted bytewise",
       .unit = "",
       .fixed_on_resume = true},
      {.section = "data",
       .name = "validation",
       .field = validation,
       .doc = "fraction of the documents held out for evaluation, or a list of files; 0: none",
       .unit = "",
       .range = below_one(),
       .fixed_on_resume = true},
      {.section = "data",
       .name = "tokenizer",
       .field = data<&D::tokenizer>,
       .doc = "bpe:N trains one of exactly N tokens; byte; a tokenizer.json; a model directory; "
              "empty: none (bare token shards)",
       .unit = "",
       .fixed_on_resume = true},
      {.section = "data",
       .name = "shuffle",
       .field = data<&D::shuffle>,
       .doc = "visit the samples of each epoch in a random order that depends on train.seed only",
       .unit = "",
       .fixed_on_resume = true},
      {.section = "data",
       .name = "prefetch",
       .field = data<&D::prefetch>,
       .doc = "read the next batch while a step runs",
       .unit = ""},
      {.section = "data",
       .name = "dtype",
       .field = data<&D::dtype>,
       .doc = "type of the tokens in a bare .bin, which has no description beside it",
       .unit = "",
       .choices = {"", "uint16", "uint32"},
       .fixed_on_resume = true},

      {.section = "train",
       .name = "steps",
       .field = train<&T::steps>,
       .doc = "optimizer updates; 0 writes the initial model and stops",
       .unit = "steps",
       .range = between(0, most_steps)},
      {.section = "train",
       .name = "batch",
       .field = train<&T::batch>,
       .doc = "sequences a step, over all ranks and micro-batches",
       .unit = "sequences",
       .range = between(1, most_sequences),
       .fixed_on_resume = true},
      {.section = "train",
       .name = "micro_batch",
       .field = train<&T::micro_batch>,
       .doc = "sequences computed at once; must divide batch; less needs less memory",
       .unit = "sequences",
       .range = between(1, most_sequences),
       .fixed_on_resume = true},
      {.section = "train",
       .name = "precision",
       .field = train<&T::precision>,
       .doc =
           "bf16: matrix products and saved activations in bfloat16, weights and the rest in FP32",
       .unit = "",
       .choices = {"fp32", "bf16"},
       .fixed_on_resume = true},
      {.section = "train",
       .name = "clip",
       .field = train<&T::clip>,
       .doc = "longest gradient, by the norm over all parameters; 0: off",
       .unit = "",
       .range = at_least(0)},
      {.section = "train",
       .name = "seed",
       .field = train<&T::seed>,
       .doc = "of initial weights, order of the data, dropout and the validation split",
       .unit = "",
       .range = at_least(0),
       .fixed_on_resume = true},
      {.section = "train",
       .name = "eval_every",
       .field = train<&T::eval_every>,
       .doc = "evaluate on the validation data after each of so many steps; 0: never",
       .unit = "steps",
       .range = between(0, most_steps)},
      {.section = "train",
       .name = "eval_batches",
       .field = train<&T::eval_batches>,
       .doc = "length of an evaluation, which always reads the same batches",
       .unit = "batches",
       .range = between(1, most_steps)},
      {.section = "train",
       .name = "sample_every",
       .field = train<&T::sample_every>,
       .doc = "write some text with the model after each of so many steps; 0: never",
       .unit = "steps",
       .range = between(0, most_steps)},
      {.section = "train",
       .name = "sample_prompt",
       .field = train<&T::sample_prompt>,
       .doc = "what that text begins with",
       .unit = ""},
      {.section = "train",
       .name = "recompute",
       .field = train<&T::recompute>,
       .doc = "what the backward pass computes again instead of keeping it in memory",
       .unit = "",
       .choices = {"none", "attention", "block"}},

      {.section = "optimizer",
       .name = "kind",
       .field = optimizer<&O::kind>,
       .doc =
           "update rule; adamw decays the weights themselves, adam and sgd add L2 to the gradient",
       .unit = "",
       .choices = {"sgd", "adam", "adamw"},
       .fixed_on_resume = true},
      {.section = "optimizer",
       .name = "lr",
       .field = optimizer<&O::lr>,
       .doc = "highest learning rate",
       .unit = "",
       .range = at_least(0)},
      {.section = "optimizer",
       .name = "beta1",
       .field = optimizer<&O::beta1>,
       .doc = "decay of the mean of the gradient (adam, adamw)",
       .unit = "",
       .range = below_one()},
      {.section = "optimizer",
       .name = "beta2",
       .field = optimizer<&O::beta2>,
       .doc = "decay of the mean of its square (adam, adamw)",
       .unit = "",
       .range = below_one()},
      {.section = "optimizer",
       .name = "eps",
       .field = optimizer<&O::eps>,
       .doc = "added to the root of that mean (adam, adamw)",
       .unit = "",
       .range = above(0)},
      {.section = "optimizer",
       .name = "weight_decay",
       .field = optimizer<&O::weight_decay>,
       .doc = "pull towards zero, on matrices and embeddings only",
       .unit = "",
       .range = at_least(0)},
      {.section = "optimizer",
       .name = "momentum",
       .field = optimizer<&O::momentum>,
       .doc = "share of the previous update that is kept (sgd)",
       .unit = "",
       .range = below_one()},
      {.section = "optimizer",
       .name = "nesterov",
       .field = optimizer<&O::nesterov>,
       .doc = "look ahead along the momentum (sgd)",
       .unit = ""},

      {.section = "schedule",
       .name = "kind",
       .field = schedule<&S::kind>,
       .doc = "how the rate goes from lr to min_lr after the warm-up",
       .unit = "",
       .choices = {"constant", "linear", "cosine"}},
      {.section = "schedule",
       .name = "warmup_steps",
       .field = schedule<&S::warmup_steps>,
       .doc = "steps over which the rate rises to lr",
       .unit = "steps",
       .range = between(0, most_steps)},
      {.section = "schedule",
       .name = "min_lr",
       .field = schedule<&S::min_lr>,
       .doc = "learning rate at the end (linear, cosine)",
       .unit = "",
       .range = at_least(0)},
      {.section = "schedule",
       .name = "horizon",
       .field = schedule<&S::horizon>,
       .doc = "steps that the schedule spans; 0: train.steps",
       .unit = "steps",
       .range = between(0, most_steps)},

      {.section = "parallel",
       .name = "threads",
       .field = parallel<&ParallelConfig::threads>,
       .doc = "threads a process computes with; 0: all cores; the result does not depend on it",
       .unit = "threads",
       .range = between(0, 4096)},
      {.section = "parallel",
       .name = "shards",
       .field = parallel<&ParallelConfig::shards>,
       .doc =
           "parts of the batch whose gradients are added in a fixed order, so that any number of "
           "ranks that divides it gives the same bits; 0: the ranks of the first launch",
       .unit = "shards",
       .range = between(0, most_sequences),
       .fixed_on_resume = true},

      {.section = "checkpoint",
       .name = "every",
       .field = checkpoint<&CheckpointConfig::every>,
       .doc = "save after each of so many steps, and after the last; 0: after the last only",
       .unit = "steps",
       .range = between(0, most_steps)},
      {.section = "checkpoint",
       .name = "keep",
       .field = checkpoint<&CheckpointConfig::keep>,
       .doc = "newest checkpoints kept, besides the best by validation loss; 0: all",
       .unit = "checkpoints",
       .range = between(0, most_steps)},

      {.section = "monitor",
       .name = "log_every",
       .field = monitor<&MonitorConfig::log_every>,
       .doc = "write metrics after each of so many steps; progress lines too, at most one a second",
       .unit = "steps",
       .range = between(1, most_steps)},
  };
  return list;
}

}  // namespace

std::span<const Section> config_sections() { return sections; }
std::span<const Key> config_keys() { return keys(); }

}  // namespace anneal
