#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "anneal/base/file.hpp"
#include "anneal/cli/command.hpp"
#include "anneal/data/check.hpp"
#include "anneal/data/choice_task.hpp"
#include "anneal/data/prepare.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/train/bytes.hpp"
#include "anneal/train/choice_score.hpp"
#include "anneal/train/loaded_model.hpp"

namespace anneal {
namespace {

struct EvalArguments {
  std::string model;
  std::vector<std::string> data;
  std::string task;
  int64_t limit = 0;
  int64_t batch = 8;
  int64_t context = 0;
  int64_t threads = 0;
  std::string dtype;
  bool json = false;
};

// Says every ten seconds how far a long evaluation is.
std::function<void(size_t)> progress(size_t texts) {
  using Clock = std::chrono::steady_clock;
  return [texts, said = Clock::now()](size_t done) mutable {
    if (Clock::now() - said < std::chrono::seconds(10)) return;
    said = Clock::now();
    std::fprintf(stderr, "%zu of %zu choices\n", done, texts);
  };
}

void print_fraction(const char* name, const Fraction& f) {
  std::printf("%-20s  %.4f", name, f.value);
  if (!std::isnan(f.error)) std::printf(" ± %.4f", f.error);
  std::printf("\n");
}

ExitCode run_task(const EvalArguments& a) {
  auto items = read_choice_task(a.task, a.limit);
  ModelDirectory directory = open_model_directory(a.model);
  if (!directory.tokenizer)
    throw UsageError(str("[--model] ", directory.path.string(),
                         " has no tokenizer.json, so the questions cannot be read"));
  std::vector<ScoredText> texts;
  for (const ChoiceItem& item : items)
    for (size_t i = 0; i < item.choices.size(); ++i)
      texts.push_back(tokenise_choice(item, i, *directory.tokenizer, directory.config.context));
  auto lengths = score_lengths(texts, directory.config.context);
  auto model = load_model(directory, {.score_lengths = lengths});
  auto likelihoods =
      log_likelihoods(model->engine->session(), texts, lengths, progress(texts.size()));
  ChoiceScores scores = score_choices(items, likelihoods);
  if (!a.json) {
    std::printf("%-20s  %zu\n", "questions", items.size());
    print_fraction("accuracy", scores.accuracy);
    print_fraction("accuracy normalised", scores.accuracy_normalised);
    return ExitCode::ok;
  }
  // NaN becomes null.
  nlohmann::ordered_json json = {{"questions", items.size()},
                                 {"accuracy", scores.accuracy.value},
                                 {"accuracy_stderr", scores.accuracy.error},
                                 {"accuracy_normalised", scores.accuracy_normalised.value},
                                 {"accuracy_normalised_stderr", scores.accuracy_normalised.error}};
  auto next = likelihoods.begin();
  for (const ChoiceItem& item : items) {
    auto end = next + static_cast<std::ptrdiff_t>(item.choices.size());
    json["log_likelihoods"].push_back(std::vector<double>(next, end));
    next = end;
  }
  std::cout << json.dump(2) << '\n';
  return ExitCode::ok;
}

// The sequences of a measurement that says nothing of them: as long as the model reads, within what
// a machine has memory for and the data has tokens for.
int64_t usual_context(const ModelDirectory& directory, const TokenDataset& data) {
  constexpr int64_t enough = 2048;
  return std::max<int64_t>(1, std::min({directory.config.context, enough, data.tokens() - 1}));
}

ExitCode run(const EvalArguments& a) {
  if (a.data.empty() == a.task.empty())
    throw UsageError("expected either --data, files to measure on, or --task, questions");
  if (a.limit < 0 || (a.limit > 0 && a.task.empty()))
    throw UsageError(str("[--limit] expected a number of questions of --task, got ", a.limit));
  if (a.batch < 1 || a.batch > 4096)
    throw UsageError(str("[--batch] expected 1 to 4096, got ", a.batch));
  if (a.context < 0 || (a.context > 0 && a.data.empty()))
    throw UsageError(str("[--context] expected a number of tokens of --data, got ", a.context));
  set_threads(a.threads);
  if (!a.task.empty()) return run_task(a);
  ModelDirectory directory = open_model_directory(a.model);
  if (a.context > directory.config.context)
    throw UsageError(str("[--context] the model reads at most ", directory.config.context,
                         " tokens, got ", a.context));
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
  int64_t context = a.context > 0 ? a.context : usual_context(directory, data.train);
  int64_t samples = data.train.samples(context);
  if (samples < 1)
    throw UsageError(str("[--data] holds ", data.train.tokens(), " tokens, sequences of ", context,
                         " need at least ", context + 1,
                         " (give more text, or a smaller --context)"));
  EvaluationReader reader(data.train, context, a.batch, (samples + a.batch - 1) / a.batch,
                          "--data");
  auto model =
      load_model(directory, {.evaluate = true, .micro_batch = a.batch, .sequence = context});
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
                                   {"tokens", result.targets},
                                   {"context", context}};
    json["bits_per_byte"] = bytes > 0 ? nlohmann::ordered_json(bits_per_byte) : nullptr;
    json["bytes"] = bytes;
    std::cout << json.dump(2) << '\n';
    return ExitCode::ok;
  }
  std::printf("loss           %.6f\nperplexity     %.4f\naccuracy       %.4f\n", result.loss,
              result.perplexity(), result.accuracy);
  if (bytes > 0) std::printf("bits per byte  %.4f\n", bits_per_byte);
  std::printf("tokens         %lld\ncontext        %lld\n", static_cast<long long>(result.targets),
              static_cast<long long>(context));
  return ExitCode::ok;
}

}  // namespace

Command eval_command() {
  return {.name = "eval",
          .summary = "Measure a model on files, or on multiple-choice questions",
          .example = "eval --model runs/demo --data heldout.txt",
          .setup = [](Arguments& a) {
            auto e = std::make_shared<EvalArguments>();
            a.option("--model", "DIR", e->model, "A model directory, a checkpoint or a run folder",
                     true);
            a.option("--data", "FILE", e->data, "Text, JSONL or token shards; may be repeated");
            a.option("--task", "FILE", e->task,
                     "Multiple-choice questions instead, JSONL as HellaSwag's");
            a.option("--limit", "N", e->limit, "With --task: the first N questions; 0: all");
            a.option("--batch", "N", e->batch, "With --data: sequences at a time");
            a.option("--context", "T", e->context,
                     "With --data: tokens of each sequence; 0: as many as the model reads, at most "
                     "2048");
            a.option("--dtype", "TYPE", e->dtype, "Of a bare .bin: uint16 or uint32");
            a.option("--threads", "N", e->threads, "Threads; 0: all cores");
            a.flag("--json", e->json, "Print JSON");
            return [e] { return run(*e); };
          }};
}

}  // namespace anneal
