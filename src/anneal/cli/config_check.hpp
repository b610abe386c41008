#pragma once

#include "anneal/cli/config_file.hpp"

namespace anneal {

// Refuses combinations of values that cannot be trained. Throws UsageError naming the keys, where
// they were set and the fix. Looks at no file.
void check_config(const LoadedConfig& loaded);

// Refuses a config that names training files, a tokenizer or a model that do not exist.
void check_config_files(const LoadedConfig& loaded);

// Replaces values that stand for "derive it" by what they stand for, where the config alone tells:
// kv_heads, hidden; evaluation is off without validation data, and sampling without a tokenizer.
void resolve(RunConfig& config);

// True if the training data is token shards without a description beside them (`data.dtype` and
// `model.vocab_size` describe them): there is no tokenizer then.
bool has_bare_shards(const DataConfig& data);

// With `model.init`, the architecture is the one of that directory: takes it over, keeping the
// keys that are about training (context, dropout, init). Throws UsageError for a key that the user
// set to something else.
void adopt_architecture(LoadedConfig& loaded, const ModelConfig& of_init);

// Refuses to continue a run under a config that would change what it computes: keys declared
// fixed_on_resume, and train.steps where the schedule depends on it. `saved` is the resolved config
// that the checkpoint was made with. Throws UsageError naming the key and both values.
void check_resume(const LoadedConfig& now, const RunConfig& saved);

}  // namespace anneal
