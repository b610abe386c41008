#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "anneal/cli/command.hpp"
#include "anneal/data/sample_format.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/train/generator.hpp"
#include "anneal/train/loaded_model.hpp"
#include "anneal/train/stop_strings.hpp"
#include "anneal/train/text_stream.hpp"

namespace anneal {
namespace {

struct GenerateArguments {
  std::string model;
  std::string prompt;
  bool chat = false;
  std::string system;
  std::vector<std::string> stop;
  int64_t max_tokens = 128;
  double temperature = 0.8;
  double top_p = 1;
  int64_t top_k = 0;
  double repeat_penalty = 1;
  int64_t repeat_last_n = 64;
  int64_t seed = 1;
  int64_t threads = 0;
  std::string precision = "fp32";
  bool json = false;
};

constexpr int64_t largest_count = int64_t{1} << 30;

SamplingOptions sampling_of(const GenerateArguments& a) {
  if (a.max_tokens < 0)
    throw UsageError(str("[--max-tokens] expected a number ≥ 0, got ", a.max_tokens));
  if (a.top_k < 0 || a.top_k > largest_count)
    throw UsageError(str("[--top-k] expected 0 (all) or more, got ", a.top_k));
  if (a.repeat_last_n < -1 || a.repeat_last_n > largest_count)
    throw UsageError(
        str("[--repeat-last-n] expected −1 (all), 0 (none) or more, got ", a.repeat_last_n));
  SamplingOptions options{.temperature = a.temperature,
                          .top_k = static_cast<int>(a.top_k),
                          .top_p = a.top_p,
                          .repeat_penalty = a.repeat_penalty,
                          .repeat_last_n = static_cast<int>(a.repeat_last_n),
                          .seed = static_cast<uint64_t>(a.seed)};
  check_sampling_options(options);
  return options;
}

// The prompt as the user's message of a conversation, in the words of the model's chat template.
std::string chat_prompt(const GenerateArguments& a, const SampleFormat& format) {
  if (!format.chat)
    throw UsageError(
        str("[--chat] ", a.model,
            " has no chat template: neither chat_template.jinja nor chat_template in "
            "tokenizer_config.json (leave --chat out to continue the prompt as plain text)"));
  std::vector<jinja::Value> messages;
  auto add = [&](const char* role, const std::string& content) {
    jinja::Dict message;
    message.set("role", jinja::Value::text(role));
    message.set("content", jinja::Value::text(content));
    messages.push_back(jinja::Value::dict(std::move(message)));
  };
  if (!a.system.empty()) add("system", a.system);
  add("user", a.prompt);
  return format.chat->render({.messages = jinja::Value::list(std::move(messages)),
                              .tools = jinja::Value::none(),
                              .add_generation_prompt = true});
}

// What the model reads, and the tokens that end what it writes.
struct Prompt {
  std::vector<int32_t> tokens;
  std::vector<int64_t> end_ids;
};

// Plain text with what the tokenizer puts before every text, as the model was trained with it; a
// chat template writes that itself.
Prompt read_prompt(const GenerateArguments& a, const ModelDirectory& directory) {
  if (!directory.tokenizer)
    throw UsageError(
        str("[--model] ", directory.path.string(),
            " has no tokenizer.json, so a prompt cannot be read (the model was trained on "
            "bare tokens)"));
  const Tokenizer& tokenizer = *directory.tokenizer;
  Prompt prompt{.tokens = {}, .end_ids = directory.end_ids};
  std::string text = a.prompt;
  if (a.chat) {
    // An answer ends as those that the model was tuned on did.
    SampleFormat format = sample_format(directory.tokens.string(), tokenizer, directory.end_ids);
    text = chat_prompt(a, format);
    prompt.end_ids.assign(format.end_ids.begin(), format.end_ids.end());
  }
  prompt.tokens = tokenizer.encode(text, {.read_special = true, .add_special = !a.chat});
  if (prompt.tokens.empty()) {
    if (directory.end_ids.empty())
      throw UsageError("[--prompt] expected some text: this model has no token to start from");
    prompt.tokens.push_back(static_cast<int32_t>(directory.end_ids[0]));
  }
  return prompt;
}

// Why a text ended, as --json says it and in words.
struct EndOfText {
  const char* reason;
  const char* words;
};

EndOfText end_of_text(bool ended, bool stopped) {
  if (ended) return {"end_of_text", "the model ended the text"};
  if (stopped) return {"stop", "ended by a stop string"};
  return {"length", "ended by --max-tokens"};
}

ExitCode run(const GenerateArguments& a) {
  SamplingOptions sampling = sampling_of(a);
  if (!a.system.empty() && !a.chat)
    throw UsageError("[--system] expected --chat beside it: plain text has no system message");
  StopStrings stops(a.stop);
  set_threads(a.threads);
  auto start = std::chrono::steady_clock::now();
  check_precision_option(a.precision);
  ModelDirectory directory = open_model_directory(a.model);
  Prompt prompt = read_prompt(a, directory);
  const Tokenizer& tokenizer = *directory.tokenizer;
  int64_t room = std::ssize(prompt.tokens) + std::min(a.max_tokens, largest_count);
  auto model = load_model(
      directory,
      {.generate = true, .context = std::max<int64_t>(1, room), .precision = a.precision});
  Generator generator(model->engine->session(), model->engine->config().model);
  double load_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  if (!a.json && !a.chat) std::cout << a.prompt << std::flush;
  Utf8Stream stream;
  std::string text;
  auto show = [&](const std::string& piece) {
    text += piece;
    if (!a.json) std::cout << piece << std::flush;
  };
  auto result = generate(generator, prompt.tokens, a.max_tokens, sampling,
                         directory.config.vocab_size, prompt.end_ids, [&](int32_t token) {
                           if (token < tokenizer.vocab_size())
                             show(stops.push(stream.push(tokenizer.token_bytes(token))));
                           return !stops.found();
                         });
  show(stops.push(stream.finish()));
  show(stops.finish());
  EndOfText end = end_of_text(result.ended, stops.found());
  double rate =
      static_cast<double>(result.tokens.size()) / std::max(1e-9, result.generation_seconds);
  if (a.json) {
    nlohmann::ordered_json json = {{"prompt", a.prompt},
                                   {"text", text},
                                   {"tokens", result.tokens},
                                   {"prompt_tokens", prompt.tokens.size()},
                                   {"ended", result.ended},
                                   {"stop_reason", end.reason},
                                   {"load_seconds", load_seconds},
                                   {"prompt_seconds", result.prompt_seconds},
                                   {"generation_seconds", result.generation_seconds},
                                   {"tokens_per_second", rate}};
    std::cout << json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  } else {
    std::cout << '\n';
  }
  std::fprintf(stderr,
               "loaded in %.2f s, %zu prompt tokens in %.2f s, %zu tokens at %.1f tokens/s, %s\n",
               load_seconds, prompt.tokens.size(), result.prompt_seconds, result.tokens.size(),
               rate, end.words);
  return ExitCode::ok;
}

}  // namespace

Command generate_command() {
  return {
      .name = "generate",
      .summary = "Write text with a trained model",
      .example = "generate --model runs/demo --prompt \"The function returns\" --max-tokens 100",
      .setup = [](Arguments& a) {
        auto g = std::make_shared<GenerateArguments>();
        a.option("--model", "DIR", g->model, "A model directory, a checkpoint or a run folder",
                 true);
        a.option("--prompt", "TEXT", g->prompt, "Text to continue");
        a.flag("--chat", g->chat,
               "The prompt is a message to answer, put into the model's chat template");
        a.option("--system", "TEXT", g->system, "With --chat: the system message before it");
        a.option("--stop", "TEXT", g->stop, "Ends the text before this one; may be repeated");
        a.option("--max-tokens", "N", g->max_tokens, "Tokens to write at most");
        a.option("--temperature", "T", g->temperature,
                 "Flattens (above 1) or sharpens the choice; 0: always the likeliest token");
        a.option("--top-p", "P", g->top_p,
                 "Choose among the likeliest tokens that together reach this probability");
        a.option("--top-k", "K", g->top_k, "Choose among the K likeliest tokens; 0: all");
        a.option("--repeat-penalty", "R", g->repeat_penalty,
                 "Makes tokens of the recent text less likely; 1: off");
        a.option("--repeat-last-n", "N", g->repeat_last_n,
                 "How far back the penalty looks; 0: off, -1: to the beginning");
        a.option("--seed", "S", g->seed, "The same seed gives the same text");
        a.option("--precision", "P", g->precision,
                 "Of weights in products: fp32, bf16 or fp16, which reads half the memory a token");
        a.option("--threads", "N", g->threads, "Threads; 0: all cores");
        a.flag("--json", g->json, "Print one JSON object at the end instead of streaming");
        return [g] { return run(*g); };
      }};
}

}  // namespace anneal
