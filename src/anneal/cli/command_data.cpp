#include <unistd.h>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include "anneal/base/file.hpp"
#include "anneal/base/log.hpp"
#include "anneal/cli/command.hpp"
#include "anneal/cli/config_check.hpp"
#include "anneal/cli/config_file.hpp"
#include "anneal/data/inspect.hpp"
#include "anneal/data/loader.hpp"
#include "anneal/data/prepare.hpp"
#include "anneal/train/model_files.hpp"

namespace anneal {
namespace {

// Logs each stage of the preparation once.
std::function<void(const PrepareProgress&)> log_stages() {
  return [last = std::string()](const PrepareProgress& now) mutable {
    if (now.stage == last) return;
    last = now.stage;
    log_info(str(now.stage, ": ", now.bytes_total, " bytes"));
  };
}

struct PrepareArguments {
  DataConfig data;
  std::string out;
  int64_t seed = 1;
  int64_t threads = 0;
  int64_t context = 0;
};

void print_shards(const std::string& label, const TokenDataset& dataset) {
  for (const TokenShard& shard : dataset.shards())
    std::cout << label << ": " << shard.path() << ", " << shard.size() << " tokens, "
              << shard.info().documents << " documents, vocabulary of " << shard.info().vocab_size
              << "\n";
}

// The data room names the config's keys; here they are options.
std::string with_options(std::string message) {
  constexpr std::pair<std::string_view, std::string_view> names[] = {
      {"[data.train]", "[FILE]"},
      {"[data.tokenizer]", "[--tokenizer]"},
      {"[data.validation]", "[--validation]"},
      {"[data.packing]", "[--packing]"},
      {"[model.context]", "[--context]"}};
  for (auto [key, option] : names)
    if (message.starts_with(key)) message.replace(0, key.size(), option);
  return message;
}

ExitCode prepare(const PrepareArguments& arguments) {
  if (arguments.threads < 0 || arguments.threads > 4096 || arguments.seed < 0)
    throw UsageError(
        "[data prepare] expected --threads from 0 to 4096 and --seed of at least 0 (--threads 0 "
        "uses all cores)");
  PrepareOptions options;
  options.directory = arguments.out;
  options.threads = static_cast<int>(arguments.threads);
  options.requirements.seed = arguments.seed;
  if (arguments.data.packing != "stream" && !arguments.data.has_samples())
    throw UsageError(
        str("[--packing] expected stream or samples, got \"", arguments.data.packing, "\""));
  if (arguments.context < 0 || (arguments.context > 0) != arguments.data.has_samples())
    throw UsageError(
        "[--context] expected a length of sequences with --packing samples, and none without");
  options.requirements.context = arguments.context;
  options.requirements.end_ids = end_ids_of(arguments.data.tokenizer);
  options.progress = log_stages();
  PreparedData prepared;
  try {
    prepared = prepare_data(arguments.data, options);
  } catch (const Error& error) {
    throw Error(with_options(error.what()), error.code());
  }
  print_shards("train", prepared.train);
  print_shards("validation", prepared.validation);
  return ExitCode::ok;
}

struct InspectArguments {
  std::string config;
  std::vector<std::string> overrides;
  std::string out;
  int64_t step = 0;
  int64_t rows = 4;
  bool validation = false;
  std::string color = "auto";
};

ExitCode inspect(const InspectArguments& arguments) {
  if (arguments.step < 0 || arguments.rows < 0)
    throw UsageError("[data inspect] expected --step and --rows of at least 0 (--rows 0: all)");
  auto loaded = load_config(arguments.config, arguments.overrides);
  const auto& c = loaded.config;
  std::optional<TemporaryDirectory> temporary;
  PrepareOptions options;
  options.directory =
      arguments.out.empty() ? temporary.emplace().path() : std::filesystem::path(arguments.out);
  options.threads = static_cast<int>(c.parallel.threads);
  options.requirements = data_requirements(c);
  options.progress = log_stages();
  PreparedData prepared;
  try {
    prepared = prepare_data(c.data, options);
  } catch (const Error& error) {
    throw Error(with_location(loaded, error.what()), error.code());
  }
  InspectOptions show;
  if (arguments.color != "auto" && arguments.color != "always" && arguments.color != "never")
    throw UsageError(
        str("[--color] expected auto, always or never, got \"", arguments.color, "\""));
  show.color = arguments.color == "always" || (arguments.color == "auto" && ::isatty(1));
  show.rows = arguments.rows;
  if (arguments.validation) {
    if (!prepared.has_validation())
      throw UsageError(str("[", loaded.at("data.validation"), "] there is no validation data (set ",
                           "a fraction or a list of files)"));
    EvaluationReader reader(prepared.validation, c.model.context, c.train.batch,
                            c.train.eval_batches);
    if (arguments.step >= reader.batches())
      throw UsageError(str("[--step] expected 0 to ", reader.batches() - 1, ", got ",
                           arguments.step, " (an evaluation reads ", reader.batches(),
                           " batches)"));
    std::cout << describe_batch(reader.read(arguments.step), prepared.tokenizer.get(), show);
    return ExitCode::ok;
  }
  BatchLoader loader(prepared.train, {.context = c.model.context,
                                      .batch = c.train.batch,
                                      .micro_batch = c.train.micro_batch,
                                      .shuffle = c.data.shuffle,
                                      .seed = static_cast<uint64_t>(c.train.seed),
                                      .prefetch = false});
  loader.seek(arguments.step);
  show.epoch_samples = loader.samples();
  std::cout << describe_batch(loader.next(), prepared.tokenizer.get(), show);
  return ExitCode::ok;
}

}  // namespace

Command data_prepare_command() {
  return {.name = "data prepare",
          .summary = "Turn text or JSONL into token shards and their tokenizer",
          .example = "data prepare 'texts/*.txt' --tokenizer bpe:4096 --out shards",
          .setup = [](Arguments& take) -> std::function<ExitCode()> {
            auto arguments = std::make_shared<PrepareArguments>();
            take.positional("FILE", arguments->data.train,
                            "Text or JSONL files, or patterns of them");
            take.option("--out", "DIR", arguments->out,
                        "Folder for train.bin, validation.bin and tokenizer.json", true);
            take.option("--tokenizer", "NAME", arguments->data.tokenizer,
                        "bpe:N trains one of N tokens; byte; a tokenizer.json; a model directory");
            take.option("--validation", "X", arguments->data.validation_fraction,
                        "Fraction of the documents to hold out");
            take.option("--packing", "HOW", arguments->data.packing,
                        "stream, or samples: whole lines of JSONL, several in a sequence");
            take.option("--context", "T", arguments->context,
                        "Tokens of a sequence, with --packing samples");
            take.option("--seed", "N", arguments->seed, "Chooses the documents to hold out");
            take.option("--threads", "N", arguments->threads, "0: all cores");
            return [arguments] { return prepare(*arguments); };
          }};
}

Command data_inspect_command() {
  return {.name = "data inspect",
          .summary = "Print what a batch of a run really contains",
          .example = "data inspect my.toml --step 100 --rows 2",
          .setup = [](Arguments& take) -> std::function<ExitCode()> {
            auto arguments = std::make_shared<InspectArguments>();
            take.positional("CONFIG", arguments->config, "The run's TOML file");
            take.option("--set", "KEY=VALUE", arguments->overrides,
                        "Override a key of the config, as train.seed=2");
            take.option("--step", "N", arguments->step, "The batch of this step, from 0");
            take.option("--rows", "N", arguments->rows, "Sequences to print; 0: all");
            take.flag("--validation", arguments->validation,
                      "A batch of the evaluation instead of the training");
            take.option("--color", "WHEN", arguments->color,
                        "What counts in the loss in colour: auto, always or never");
            take.option("--out", "DIR", arguments->out,
                        "Keep the token shards here; else they are made anew each time");
            return [arguments] { return inspect(*arguments); };
          }};
}

}  // namespace anneal
