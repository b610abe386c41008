#pragma once

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "anneal/base/rng.hpp"
#include "anneal/ir/interpret.hpp"
#include "anneal/ir/verify.hpp"
#include "anneal/model/language_model.hpp"
#include "anneal/passes/pass.hpp"
#include "anneal/runtime/cpu_target.hpp"

namespace anneal::testing {

// Models small enough for the interpreter. Extents are odd and differ from each other, so that a
// mixed-up dimension shows: batch 2, context 11.
struct SampleModel {
  std::string name;
  ModelConfig config;
};

inline std::vector<SampleModel> sample_models() {
  ModelConfig gpt2{.family = "gpt2",
                   .layers = 2,
                   .heads = 3,
                   .kv_heads = 3,
                   .width = 18,
                   .hidden = 29,
                   .context = 11,
                   .vocab_size = 37,
                   .dropout = 0.2,
                   .tie_embeddings = true};
  ModelConfig llama{.family = "llama",
                    .layers = 2,
                    .heads = 4,
                    .kv_heads = 2,
                    .width = 24,
                    .hidden = 31,
                    .context = 11,
                    .vocab_size = 41,
                    .tie_embeddings = false};
  ModelConfig qwen3 = llama;
  qwen3.family = "qwen3";
  qwen3.head_width = 10;
  ModelConfig gpt_neox = gpt2;
  gpt_neox.family = "gpt_neox";
  gpt_neox.rotary_fraction = 0.67;  // 4 of 6 columns
  gpt_neox.tie_embeddings = false;
  return {{"gpt2", gpt2}, {"llama", llama}, {"qwen3", qwen3}, {"gpt_neox", gpt_neox}};
}

inline constexpr int64_t sample_batch = 2;

inline Module build_sample(const ModelConfig& config) {
  return build_language_model(config, {.micro_batch = sample_batch, .generate = true, .seed = 3});
}

// The module after each pass; the first is the one before all of them, named "".
inline std::vector<std::pair<std::string, Module>> after_each_pass(const ModelConfig& config,
                                                                   const PassOptions& options,
                                                                   Target& target) {
  std::vector<std::pair<std::string, Module>> result;
  Module module = build_sample(config);
  result.emplace_back("", module);
  run_passes(module, options, target, [&](const Pass& pass, const Module& now, double) {
    result.emplace_back(std::string(pass.name), now);
  });
  return result;
}

// A deterministic number in (−1, 1) for an element of something with a name.
inline double number_of(std::string_view name, int64_t element) {
  auto words = philox(hash64(name), static_cast<uint64_t>(element), 0);
  return 2 * uniform_double(words[0], words[1]) - 1;
}

// Content for an input: token ids, positions and scalars that make sense to a language model, and
// numbers of order one elsewhere. One target in four does not count.
inline RefTensor input_content(const std::string& name, const TensorType& type, int64_t vocabulary,
                               uint64_t seed) {
  RefTensor t{type.shape, std::vector<double>(static_cast<size_t>(type.shape.elements()))};
  auto drawn = [&](size_t i, int64_t below) {
    auto word = philox(hash64(name, seed), i, 1)[0];
    return static_cast<double>(static_cast<int64_t>(word) % below);
  };
  int64_t columns = type.shape.rank() > 0 ? type.shape[type.shape.rank() - 1] : 1;
  for (size_t i = 0; i < t.data.size(); ++i) {
    double& x = t.data[i];
    if (name == "tokens")
      x = drawn(i, vocabulary);
    else if (name == "targets")
      x = drawn(i, 4) == 0 ? -1 : drawn(i + 1000, vocabulary);
    else if (name == "positions")
      x = static_cast<double>(static_cast<int64_t>(i) % columns);
    else if (name == "inv_valid")
      x = 1.0 / 16;
    else if (name == "loss_scale")
      x = 1;
    else if (name == "first_sample")
      x = 5;
    else if (is_float(type.dtype))
      x = 0.5 + 0.25 * number_of(name, static_cast<int64_t>(i));
  }
  return t;
}

// Content of a persistent value, a function of its name: moments are not negative, as a sum of
// squares is, and a copy in low precision holds its parameter's numbers.
inline RefTensor persistent_content(const Module& module, int32_t index) {
  const Persistent& p = module.persistent(index);
  const std::string& name = p.kind == PersistentKind::copy ? module.persistent(p.of).name : p.name;
  RefTensor t{p.type.shape, {}};
  for (int64_t i = 0; i < p.type.shape.elements(); ++i) {
    double x = number_of(name, i);
    if (p.kind == PersistentKind::moment) x = 0.01 * std::abs(x);
    if (p.role == Role::gain) x = 1 + 0.3 * x;
    t.data.push_back(x * (p.role == Role::gain ? 1 : 0.3));
  }
  return t;
}

inline RefState sample_state(const Module& module, const Program& program, int64_t vocabulary) {
  RefState state;
  for (size_t i = 0; i < module.persistents.size(); ++i)
    state.persistents[static_cast<int32_t>(i)] =
        persistent_content(module, static_cast<int32_t>(i));
  for (Value v : program.inputs())
    state.inputs[program.info(v).name] =
        input_content(program.info(v).name, program.type(v), vocabulary, 7);
  return state;
}

}  // namespace anneal::testing
