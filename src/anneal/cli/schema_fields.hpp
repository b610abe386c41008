#pragma once

#include "anneal/cli/schema.hpp"

// Inside the room: what the declarations of keys are written with.

namespace anneal {

std::vector<Key> model_keys();     // model and lora
std::vector<Key> training_keys();  // all sections behind them

namespace schema {

// The field that a member of RunConfig, or a member of one of its sections, is.
template <auto Member>
Field top(RunConfig& config) {
  return &(config.*Member);
}

template <auto Part, auto Member>
Field in(RunConfig& config) {
  return &(config.*Part.*Member);
}

inline Field validation(RunConfig& config) {
  return ValidationField{&config.data.validation_fraction, &config.data.validation_files};
}

template <auto Member>
Field rope_scaling(RunConfig& config) {
  return &(config.model.rope_scaling.*Member);
}

template <auto Member>
constexpr auto model = &in<&RunConfig::model, Member>;
template <auto Member>
constexpr auto lora = &in<&RunConfig::lora, Member>;
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
inline constexpr double most_steps = 1e9;
inline constexpr double most_positions = 0x1p53;  // steps or tokens
inline constexpr double most_sequences = 1 << 20;
inline constexpr double most_tokens = 1 << 20;
inline constexpr double widest = 1 << 20;

using M = ModelConfig;
using L = LoraConfig;
using D = DataConfig;
using T = TrainConfig;
using O = OptimizerConfig;
using S = ScheduleConfig;

}  // namespace schema
}  // namespace anneal
