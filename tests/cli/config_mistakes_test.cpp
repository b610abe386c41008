// One mistake at a time in a config that is right: each is refused with a message that names the
// key (or the file), the place and what to do, and nothing is written.

#include <gtest/gtest.h>
#include <algorithm>
#include <set>

#include "anneal/cli/config_file.hpp"
#include "config_files.hpp"

namespace anneal {
namespace {

// Every line stands once, so that a mistake can replace it. @ is the directory of the test's files.
constexpr std::string_view right_config = R"(name = "right"
[model]
family = "gpt2"
layers = 2
heads = 4
kv_heads = 4
width = 32
hidden = 64
context = 16
vocab_size = 0
dropout = 0.0
tie_embeddings = true
norm_eps = 1e-5
init = ""
[data]
train = ["@/text-*.txt"]
validation = 0.25
tokenizer = "byte"
shuffle = true
[train]
steps = 10
batch = 8
micro_batch = 4
precision = "fp32"
clip = 1.0
seed = 1
eval_every = 5
eval_batches = 2
recompute = "none"
[optimizer]
kind = "adamw"
lr = 1e-3
beta1 = 0.9
eps = 1e-8
weight_decay = 0.1
[schedule]
kind = "cosine"
warmup_steps = 2
min_lr = 1e-4
[parallel]
shards = 1
[checkpoint]
every = 5
[monitor]
log_every = 1
)";

struct Mistake {
  std::string name;
  std::string right;  // the line to replace; "": append to the file
  std::string wrong;
  std::string key;                          // that the message names
  std::string fix;                          // in the parentheses at its end
  std::vector<std::string> overrides = {};  // "--set" is then the place that it names
  int line_offset = 0;                      // of the mistake inside `wrong`
};

const std::vector<Mistake>& mistakes() {
  static const std::vector<Mistake> list = {
      // Names.
      {"unknown_key", "layers = 2", "layer = 2", "model.layer", "did you mean model.layers?"},
      {"key_in_wrong_section", "seed = 1", "lr = 1e-3", "train.lr", "did you mean optimizer.lr?"},
      {"key_above_sections", "name = \"right\"", "batch = 8", "batch", "did you mean train.batch?"},
      {"unlike_any_key", "seed = 1", "zzzzzzzzzzzz = 1", "train.zzzzzzzzzzzz",
       "the keys of train are"},
      {"unknown_section", "[optimizer]", "[optimiser]", "optimiser", "did you mean [optimizer]?"},
      {"unlike_any_section", "", "[zzzzzzzz]", "zzzzzzzz", "the sections are model, lora, data"},
      {"nested_section", "", "[monitor.web]\nport = 1", "monitor.web", "the keys of monitor are"},
      {"duplicate_key", "layers = 2", "layers = 2\nlayers = 3", "model.layers", "keep one", {}, 1},
      {"duplicate_section", "", "[model]\nlayers = 3", "[model]", "keep one"},
      // Syntax.
      {"no_value", "layers = 2", "layers =", "model.layers", "correct the line"},
      {"text_without_quotes", "kind = \"adamw\"", "kind = adamw", "optimizer.kind",
       "double quotes"},
      {"open_string", "precision = \"fp32\"", "precision = \"fp32", "train.precision",
       "correct the line"},
      {"not_toml", "[monitor]", "{\"monitor\": 1}", "monitor", "correct the line"},
      // Types.
      {"text_for_integer", "layers = 2", "layers = \"two\"", "model.layers",
       "write a whole number"},
      {"number_for_integer", "layers = 2", "layers = 2.5", "model.layers", "write a whole number"},
      {"boolean_for_number", "clip = 1.0", "clip = true", "train.clip", "write a number"},
      {"integer_for_boolean", "shuffle = true", "shuffle = 1", "data.shuffle",
       "write true or false"},
      {"number_for_text", "name = \"right\"", "name = 7", "name", "write \"7\""},
      {"text_for_list", "train = [\"@/text-*.txt\"]", "train = \"@/text-1.txt\"", "data.train",
       "write a list: ["},
      {"list_of_numbers", "train = [\"@/text-*.txt\"]", "train = [1, 2]", "data.train",
       "write a list: ["},
      {"text_for_validation", "validation = 0.25", "validation = \"val.txt\"", "data.validation",
       "write a fraction such as 0.05, or a list: [\"val.txt\"]"},
      {"date_for_text", "name = \"right\"", "name = 2024-01-01", "name", "double quotes"},
      {"list_for_number", "lr = 1e-3", "lr = [1e-3]", "optimizer.lr", "write a number"},
      // Ranges.
      {"no_layers", "layers = 2", "layers = 0", "model.layers", "raise it to 1"},
      {"negative_width", "width = 32", "width = -32", "model.width", "raise it to 1"},
      {"huge_context", "context = 16", "context = 99999999999", "model.context", "lower it to"},
      {"dropout_of_one", "dropout = 0.0", "dropout = 1.0", "model.dropout", "lower it below 1"},
      {"no_norm_eps", "norm_eps = 1e-5", "norm_eps = 0.0", "model.norm_eps", "raise it above 0"},
      {"whole_validation", "validation = 0.25", "validation = 1.0", "data.validation", "below 1"},
      {"negative_steps", "steps = 10", "steps = -1", "train.steps", "raise it to 0"},
      {"negative_rate", "lr = 1e-3", "lr = -1e-3", "optimizer.lr", "raise it to 0"},
      {"rate_not_a_number", "lr = 1e-3", "lr = nan", "optimizer.lr", "write a finite number"},
      {"infinite_clip", "clip = 1.0", "clip = inf", "train.clip", "write a finite number"},
      {"beta_of_one", "beta1 = 0.9", "beta1 = 1", "optimizer.beta1", "lower it below 1"},
      {"negative_decay", "weight_decay = 0.1", "weight_decay = -0.1", "optimizer.weight_decay",
       "raise it to 0"},
      {"negative_warmup", "warmup_steps = 2", "warmup_steps = -2", "schedule.warmup_steps",
       "raise it to 0"},
      {"negative_clip", "clip = 1.0", "clip = -1.0", "train.clip", "raise it to 0"},
      {"never_logged", "log_every = 1", "log_every = 0", "monitor.log_every", "raise it to 1"},
      {"no_micro_batch", "micro_batch = 4", "micro_batch = 0", "train.micro_batch",
       "raise it to 1"},
      // Choices.
      {"family", "family = \"gpt2\"", "family = \"gpt3\"", "model.family",
       "did you mean \"gpt2\"?"},
      {"optimizer", "kind = \"adamw\"", "kind = \"lion\"", "optimizer.kind",
       "choose \"sgd\", \"adam\", \"adamw\", \"rmsprop\", \"lamb\" or \"muon\""},
      {"schedule", "kind = \"cosine\"", "kind = \"cosin\"", "schedule.kind",
       "did you mean \"cosine\"?"},
      {"precision", "precision = \"fp32\"", "precision = \"fp8\"", "train.precision", "\"bf16\""},
      {"recompute", "recompute = \"none\"", "recompute = \"blocks\"", "train.recompute",
       "did you mean \"block\"?"},
      // Combinations.
      {"heads_and_width", "heads = 4", "heads = 5", "model.heads", "model.heads to 4 or 8"},
      {"gpt2_groups", "kv_heads = 4", "kv_heads = 2", "model.kv_heads", "\"llama\""},
      {"neox_groups",
       "family = \"gpt2\"",
       "family = \"gpt_neox\"",
       "model.kv_heads",
       "remove model.kv_heads",
       {"model.kv_heads=2"}},
      {"rotary_fraction_of_gpt2", "norm_eps = 1e-5", "rotary_fraction = 0.5",
       "model.rotary_fraction", "set model.family to \"gpt_neox\""},
      {"sequential_gpt2", "norm_eps = 1e-5", "parallel_residual = false", "model.parallel_residual",
       "set model.family to \"gpt_neox\""},
      {"activation_of_gpt2", "norm_eps = 1e-5", "activation = \"gelu_tanh\"", "model.activation",
       "set model.family to \"gpt_neox\""},
      {"activation", "norm_eps = 1e-5", "activation = \"silu\"", "model.activation", "\"gelu\""},
      {"odd_rotation",
       "family = \"gpt2\"",
       "family = \"gpt_neox\"",
       "model.rotary_fraction",
       "model.rotary_fraction to 0.25",
       {"model.rotary_fraction=0.4"}},
      {"no_rotation", "norm_eps = 1e-5", "rotary_fraction = 0.0", "model.rotary_fraction",
       "raise it above 0"},
      {"llama_groups",
       "family = \"gpt2\"",
       "family = \"llama\"",
       "model.kv_heads",
       "model.kv_heads to 2 or 4",
       {"model.kv_heads=3"}},
      {"llama_hidden",
       "family = \"gpt2\"",
       "family = \"llama\"",
       "model.hidden",
       "state it",
       {"model.hidden=0"}},
      {"odd_heads",
       "family = \"gpt2\"",
       "family = \"llama\"",
       "model.width",
       "make model.width a multiple of 8",
       {"model.width=12"}},
      {"micro_batch", "micro_batch = 4", "micro_batch = 3", "train.micro_batch",
       "train.micro_batch to 2 or 4"},
      {"shards", "shards = 1", "shards = 4", "parallel.shards", "parallel.shards to 2"},
      {"rising_rate", "min_lr = 1e-4", "min_lr = 1e-2", "schedule.min_lr", "schedule.min_lr to"},
      {"momentum_of_adamw", "beta1 = 0.9", "momentum = 0.9", "optimizer.momentum", "\"sgd\""},
      {"nesterov_of_adamw", "beta1 = 0.9", "nesterov = true", "optimizer.nesterov",
       "optimizer.kind to \"sgd\" or \"muon\""},
      {"nesterov_without_momentum",
       "kind = \"adamw\"",
       "kind = \"sgd\"\nnesterov = true",
       "optimizer.nesterov",
       "optimizer.momentum to 0.9",
       {},
       1},
      {"dampening_without_momentum",
       "kind = \"adamw\"",
       "kind = \"sgd\"\ndampening = 0.5",
       "optimizer.dampening",
       "optimizer.momentum to 0.9",
       {},
       1},
      {"alpha_of_adamw", "beta1 = 0.9", "alpha = 0.9", "optimizer.alpha",
       "optimizer.kind to \"rmsprop\""},
      {"centered_of_adamw", "beta1 = 0.9", "centered = true", "optimizer.centered",
       "optimizer.kind to \"rmsprop\""},
      {"restarts_without_period", "kind = \"cosine\"", "kind = \"warm_restarts\"", "schedule.kind",
       "schedule.restart_period, for example"},
      {"period_of_cosine", "min_lr = 1e-4", "restart_period = 5", "schedule.restart_period",
       "schedule.kind to \"warm_restarts\""},
      {"decay_of_cosine", "min_lr = 1e-4", "decay_steps = 5", "schedule.decay_steps",
       "schedule.kind to \"wsd\""},
      {"exponential_to_zero",
       "kind = \"cosine\"",
       "kind = \"exponential\"",
       "schedule.min_lr",
       "schedule.min_lr above 0",
       {"schedule.min_lr=0"}},
      {"schedule_unit", "min_lr = 1e-4", "unit = \"token\"", "schedule.unit",
       "did you mean \"tokens\"?"},
      {"nothing_to_evaluate",
       "eval_every = 5",
       "eval_every = 5",
       "train.eval_every",
       "train.eval_every to 0",
       {"train.eval_every=7", "data.validation=0"}},
      {"name_of_two_folders", "name = \"right\"", "name = \"a/b\"", "name", "use letters"},
      {"endless_run",
       "",
       "",
       "train.steps",
       "lower train.steps",
       {"model.context=1048576", "train.batch=1048576", "train.steps=1000000000"}},
      // The files that it names.
      {"no_training_files", "train = [\"@/text-*.txt\"]", "train = []", "data.train",
       "name some under [data]"},
      {"missing_training_file", "train = [\"@/text-*.txt\"]", "train = [\"@/none.txt\"]",
       "data.train", ""},
      {"glob_of_nothing", "train = [\"@/text-*.txt\"]", "train = [\"@/none-*.txt\"]", "data.train",
       ""},
      {"training_on_a_folder", "train = [\"@/text-*.txt\"]", "train = [\"@\"]", "data.train", ""},
      {"empty_training_file", "train = [\"@/text-*.txt\"]", "train = [\"@/empty.txt\"]",
       "data.train", ""},
      {"missing_validation_file", "validation = 0.25", "validation = [\"@/none.txt\"]",
       "data.validation", ""},
      {"context_beyond_data", "context = 16", "context = 100000", "model.context",
       "give more text, or a smaller context"},
      {"tokenizer_without_size", "tokenizer = \"byte\"", "tokenizer = \"bpe\"", "data.tokenizer",
       "bpe:N trains one of"},
      {"tokenizer_of_too_few", "tokenizer = \"byte\"", "tokenizer = \"bpe:100\"", "data.tokenizer",
       "bpe:N trains one of"},
      {"tokenizer_of_text", "tokenizer = \"byte\"", "tokenizer = \"bpe:4k\"", "data.tokenizer",
       "bpe:N trains one of"},
      {"missing_tokenizer", "tokenizer = \"byte\"", "tokenizer = \"@/none.json\"", "data.tokenizer",
       ""},
      {"no_tokenizer_for_text", "tokenizer = \"byte\"", "tokenizer = \"\"", "data.tokenizer", ""},
      {"vocabulary_too_small", "vocab_size = 0", "vocab_size = 100", "model.vocab_size", "0"},
      {"missing_init", "init = \"\"", "init = \"@/none\"", "model.init", "model directory"},
      // The command line.
      {"override_without_value", "", "", "train.steps", "for example", {"train.steps"}},
      {"override_without_key", "", "", "=3", "for example", {"=3"}},
      {"override_of_unknown_key",
       "",
       "",
       "train.step",
       "did you mean train.steps?",
       {"train.step=3"}},
      {"override_of_unknown_section", "", "", "trian", "did you mean [train]?", {"trian.steps=3"}},
      {"override_of_a_section", "", "", "train", "--set train.KEY = VALUE", {"train=3"}},
      {"override_of_wrong_type",
       "",
       "",
       "train.steps",
       "write a whole number",
       {"train.steps=many"}},
      {"override_out_of_range", "", "", "optimizer.lr", "raise it to 0", {"optimizer.lr=-1"}},
      {"override_of_wrong_choice",
       "",
       "",
       "optimizer.kind",
       "did you mean \"adam\"?",
       {"optimizer.kind=adm"}},
      {"isolation_across_mixers",
       "family = \"gpt2\"",
       "family = \"based\"",
       "data.isolate_documents",
       "use another model.family",
       {"data.isolate_documents=true"}},
      {"override_with_two_lines",
       "",
       "",
       "train.steps",
       "write a whole number",
       {"train.steps=3\nbatch = 4"}},
      {"override_not_utf8", "", "", "name", "write it in UTF-8", {"name=\xff"}},
  };
  return list;
}

// The test is listed by its name alone.
void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.name; }

// Files below `dir` with their sizes and times of change.
std::set<std::string> listing(const fs::path& dir) {
  std::set<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(dir))
    files.insert(str(entry.path().string(), " ", entry.is_regular_file() ? entry.file_size() : 0,
                     " ", entry.last_write_time().time_since_epoch().count()));
  return files;
}

class ConfigMistakes : public ConfigFiles, public testing::WithParamInterface<Mistake> {};

TEST_P(ConfigMistakes, IsRefused) {
  const Mistake& mistake = GetParam();
  std::string text(right_config);
  auto at = mistake.right.empty() ? text.size() : ("\n" + text).find("\n" + mistake.right + "\n");
  ASSERT_NE(at, std::string::npos) << "no such line: " << mistake.right;
  text.replace(at, mistake.right.size(), mistake.wrong);
  if (mistake.right.empty()) text += "\n";
  auto line = std::count(text.begin(), text.begin() + static_cast<int64_t>(at), '\n') + 1 +
              mistake.line_offset;

  auto path = write_config(text);
  auto before = listing(dir_.path());
  std::string message;
  try {
    load_config(path, mistake.overrides);
  } catch (const UsageError& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    message = error.what();
  }
  ASSERT_NE(message, "") << "accepted:\n" << text;
  RecordProperty("message", message);

  auto head = message.substr(0, message.find(']') + 1);
  auto place = mistake.overrides.empty() ? str(path.string(), ":", line) : std::string("--set");
  EXPECT_NE(head.find(place), std::string::npos) << message;
  EXPECT_NE(message.find(mistake.key), std::string::npos) << message;
  auto fix = message.rfind(" (");
  ASSERT_NE(fix, std::string::npos) << message;
  EXPECT_EQ(message.back(), ')') << message;
  EXPECT_NE(message.find(mistake.fix), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  EXPECT_EQ(listing(dir_.path()), before);
}

INSTANTIATE_TEST_SUITE_P(All, ConfigMistakes, testing::ValuesIn(mistakes()),
                         [](const auto& info) { return info.param.name; });

TEST_F(ConfigFiles, TheConfigWithoutMistakesIsAccepted) {
  auto loaded = load_config(write_config(std::string(right_config)));
  EXPECT_EQ(loaded.config.model.heads, 4);
  EXPECT_EQ(loaded.config.train.eval_every, 5);
  EXPECT_EQ(loaded.where.at("model.heads"), loaded.file + ":5");
}

}  // namespace
}  // namespace anneal
