#pragma once

#include "anneal/cli/config_file.hpp"
#include "anneal/model/config.hpp"

namespace anneal {

// Refuses combinations of values that cannot be trained. Throws UsageError naming the keys, where
// they were set and the fix. Looks at no file.
void check_config(const LoadedConfig& loaded, DataRule data = DataRule::required);

// Gives the keys of [optimizer] that the user did not set the values recommended for the kind.
void adopt_recommended(LoadedConfig& loaded);

// Looks at what the config names: training and validation files, tokenizer, model.init (sizes and
// headers only), and takes over what they decide: the architecture of model.init, for keys that the
// user did not set; its tokenizer; no tokenizer for bare token shards and without data. Throws
// UsageError for what is not there, does not fit the config, or contradicts it.
void check_config_files(LoadedConfig& loaded);

// A message of another room, "[data.train] …", with the place where that key was set:
// "[my.toml:12: data.train] …", and with what the key means if it gives no fix. Other messages are
// returned as they are.
std::string with_location(const LoadedConfig& loaded, const std::string& message);

// Replaces values that stand for "derive it" by what they stand for, where the config alone tells:
// kv_heads, hidden; no evaluation without validation data, no samples without a tokenizer.
void resolve(RunConfig& config);

// Takes over the architecture of `init`, the model in the directory that model.init names. Throws
// UsageError for a key that the user set to something else.
void adopt_architecture(LoadedConfig& loaded, const ModelConfig& init);

// Refuses a run's config that differs from `saved`, the resolved config of the run in `folder`, in
// a key that its result or its cost depends on. Throws UsageError naming the key and both values.
void check_same_run(const LoadedConfig& now, const RunConfig& saved, const std::string& folder);

// Refuses to continue a run under a config that would change what it computes: keys declared
// fixed_on_resume, and train.steps where the schedule depends on it. `saved` is the resolved config
// that the checkpoint was made with. Throws UsageError naming the key and both values.
void check_resume(const LoadedConfig& now, const RunConfig& saved);

}  // namespace anneal
