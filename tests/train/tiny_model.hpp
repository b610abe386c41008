#pragma once

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "anneal/base/hash.hpp"
#include "anneal/base/rng.hpp"
#include "anneal/train/engine.hpp"

namespace anneal {

// A model of two blocks for tests in one process; llama and what descends from it have grouped
// queries and an output head of their own.
inline RunConfig tiny_config(const std::string& family, const std::string& precision = "fp32") {
  RunConfig config;
  bool gpt2 = !find_family(family)->free_heads;
  config.model = {.family = family,
                  .layers = 2,
                  .heads = 4,
                  .kv_heads = find_family(family)->free_heads ? 2 : 4,
                  .width = 32,
                  .hidden = gpt2 ? 128 : 80,
                  .context = 16,
                  .vocab_size = 96,
                  .dropout = gpt2 ? 0.1 : 0.0,
                  .tie_embeddings = gpt2};
  if (family == "qwen3") config.model.head_width = 12;
  if (family == "based") {
    config.model.layers = 3;  // one with each mixer
    config.model.window = 5;
    config.model.feature_dim = 3;
  }
  if (family == "gpt_neox") config.model.rotary_fraction = 0.5;
  config.train.batch = 8;
  config.train.micro_batch = 2;
  config.train.precision = precision;
  config.train.seed = 3;
  config.optimizer.kind = "adamw";
  config.optimizer.lr = 1e-3;
  config.parallel.shards = 1;
  return config;
}

// Every family in every precision, to instantiate tests with.
struct ModelKind {
  const char* family;
  const char* precision;
  friend std::ostream& operator<<(std::ostream& out, const ModelKind& kind) {
    return out << kind.family << "_" << kind.precision;
  }
};
inline constexpr ModelKind model_kinds[] = {
    {"gpt2", "fp32"},  {"gpt2", "bf16"},  {"llama", "fp32"},    {"llama", "bf16"},
    {"qwen3", "fp32"}, {"qwen3", "bf16"}, {"gpt_neox", "fp32"}, {"gpt_neox", "bf16"},
    {"based", "fp32"}, {"based", "bf16"}};

// The global batch of one step: drawn tokens, and targets of which about a fifth does not count.
class DrawnBatch {
 public:
  DrawnBatch(const RunConfig& config, int64_t step) {
    int64_t rows = config.train.batch, context = config.model.context;
    for (int64_t i = 0; i < rows * context; ++i) {
      auto words = philox(17, static_cast<uint64_t>(i), static_cast<uint64_t>(step));
      auto draw = [&](uint32_t word) {
        return static_cast<int32_t>(word % static_cast<uint32_t>(config.model.vocab_size));
      };
      tokens_.push_back(draw(words[0]));
      targets_.push_back(words[2] % 5 == 0 ? -1 : draw(words[1]));
      batch_.valid_tokens += targets_.back() >= 0;
      positions_.push_back(static_cast<int32_t>(i % context));
    }
    batch_.rows = rows;
    batch_.context = context;
    batch_.tokens = tokens_;
    batch_.targets = targets_;
    batch_.positions = positions_;
    batch_.first_sample = step * rows;
    batch_.step = step;
  }
  DrawnBatch(const DrawnBatch&) = delete;
  DrawnBatch& operator=(const DrawnBatch&) = delete;

  const Batch& get() const { return batch_; }
  // No target counts any more.
  void mask_all() {
    std::fill(targets_.begin(), targets_.end(), -1);
    batch_.valid_tokens = 0;
  }

 private:
  std::vector<int32_t> tokens_, targets_, positions_;
  Batch batch_;
};

// Hash of the bytes of every parameter and moment.
inline std::string state_hash(const Session& session) {
  ContentHash hash;
  const auto& persistents = session.module().persistents;
  for (size_t i = 0; i < persistents.size(); ++i) {
    auto kind = persistents[i].kind;
    if (kind != PersistentKind::parameter && kind != PersistentKind::moment) continue;
    TensorRef t = session.persistent(static_cast<int32_t>(i));
    hash.update(t.data, static_cast<size_t>(t.type.bytes()));
  }
  return hash.hex();
}

}  // namespace anneal
