#pragma once

#include <gtest/gtest.h>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/base/hash.hpp"
#include "anneal/base/rng.hpp"
#include "anneal/checkpoint/resume.hpp"
#include "cli/run_program.hpp"

namespace anneal {

namespace fs = std::filesystem;

// Words of a small vocabulary in sentences, the same for every call with one seed.
inline std::string sample_text(int64_t words, uint64_t seed) {
  static const char* const vocabulary[] = {"the",  "cat", "sat",    "on",  "a",     "mat", "and",
                                           "then", "it",  "looked", "at",  "every", "dog", "in",
                                           "town", "but", "no",     "one", "saw",   "why"};
  std::string text;
  for (int64_t i = 0; i < words; ++i) {
    text += vocabulary[philox(seed, static_cast<uint64_t>(i), 0)[0] % std::size(vocabulary)];
    text += i % 9 == 8 ? ".\n" : " ";
  }
  return text;
}

inline std::string file_hash(const fs::path& path) {
  std::string content = read_file(path);
  ContentHash hash;
  hash.update(content.data(), content.size());
  return hash.hex();
}

// Every file below a folder and its content's hash.
inline std::map<std::string, std::string> hashes_below(const fs::path& dir) {
  std::map<std::string, std::string> hashes;
  for (const auto& entry : fs::recursive_directory_iterator(dir))
    if (entry.is_regular_file())
      hashes[fs::relative(entry.path(), dir).string()] = file_hash(entry.path());
  return hashes;
}

inline std::vector<nlohmann::json> metrics_of(const fs::path& run) {
  std::vector<nlohmann::json> events;
  std::istringstream lines(read_file(run / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) events.push_back(nlohmann::json::parse(line));
  return events;
}

inline std::vector<nlohmann::json> events_of(const fs::path& run, std::string_view name) {
  std::vector<nlohmann::json> chosen;
  for (auto& event : metrics_of(run))
    if (event["event"] == name) chosen.push_back(event);
  return chosen;
}

// The lines of steps and evaluations without what depends on the machine and its load.
inline std::vector<std::string> reproducible_lines(const fs::path& run) {
  std::vector<std::string> lines;
  for (auto& event : metrics_of(run)) {
    if (event["event"] != "step" && event["event"] != "eval") continue;
    for (const char* measured : {"step_seconds", "data_wait_seconds", "tokens_per_second", "mfu",
                                 "cpu_percent", "read_bytes", "rss_bytes"})
      event.erase(measured);
    lines.push_back(event.dump());
  }
  return lines;
}

inline fs::path checkpoint_of(const fs::path& run, int64_t step) {
  char name[32];
  std::snprintf(name, sizeof name, "step-%08lld", static_cast<long long>(step));
  return run / "checkpoints" / name;
}

// Weights and optimizer state of a checkpoint, as one text to compare.
inline std::string weights_of(const fs::path& checkpoint) {
  return file_hash(checkpoint / "model.safetensors") + " " +
         file_hash(checkpoint / "anneal_state/state.safetensors");
}

// A folder with texts and the config of a model of some ten thousand parameters, which trains in
// about a millisecond a step, with all that a run can do: dropout, accumulation, evaluation,
// samples, checkpoints.
class TinyRun : public testing::Test {
 protected:
  TinyRun() {
    // Threads that wait give way: these tests must not crawl where the cores are shared.
    ::setenv("OMP_WAIT_POLICY", "passive", 1);
    for (int i = 0; i < 4; ++i)
      FileWriter(path(str("train-", i, ".txt"))).write(sample_text(1200, 10 + i));
    FileWriter(path("validation.txt")).write(sample_text(500, 99));
    write_config(default_config());
  }

  std::string default_config() const {
    return str(R"(name = "tiny"
[model]
family = "gpt2"
layers = 2
heads = 2
width = 32
hidden = 64
context = 16
dropout = 0.1
embedding_dropout = 0.05
[data]
train = [")",
               path("train-*.txt"), R"("]
validation = [")",
               path("validation.txt"), R"("]
tokenizer = "byte"
[train]
steps = 40
batch = 8
micro_batch = 2
precision = "fp32"
seed = 7
eval_every = 8
eval_batches = 2
sample_every = 15
sample_prompt = "the "
[optimizer]
kind = "adamw"
lr = 3e-3
[schedule]
kind = "cosine"
warmup_steps = 5
min_lr = 1e-4
[parallel]
threads = 1
shards = 2
[checkpoint]
every = 4
keep = 2
)");
  }

  std::string path(const std::string& name) const { return (dir_.path() / name).string(); }
  fs::path run(const std::string& name) const { return dir_.path() / "runs" / name; }
  void write_config(const std::string& text) { FileWriter(path("tiny.toml")).write(text); }

  std::vector<std::string> train_arguments(const std::string& name,
                                           const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"train", path("tiny.toml"), "--out", run(name).string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  ProgramResult train(const std::string& name, const std::vector<std::string>& more = {}) const {
    return run_program(train_arguments(name, more));
  }

  TemporaryDirectory dir_;
};

// "--set", KEY=VALUE for each of them.
inline std::vector<std::string> sets(const std::vector<std::string>& assignments) {
  std::vector<std::string> arguments;
  for (const auto& a : assignments) {
    arguments.push_back("--set");
    arguments.push_back(a);
  }
  return arguments;
}

inline std::vector<std::string> operator+(std::vector<std::string> a,
                                          const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace anneal
