#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "anneal/monitor/run_record.hpp"

namespace anneal {

// One run of an experiment: what it changes of the config.
struct Variant {
  std::string name;               // its folder's
  std::vector<std::string> sets;  // section.key=value
};

struct Experiment {
  std::string config;             // the file
  std::vector<std::string> sets;  // of the user, before those of a variant
  std::filesystem::path out;      // a folder for each variant is made in it
};

// The overrides of a variant's run, in order.
std::vector<std::string> all_sets(const Experiment& experiment, const Variant& variant);

// Checks the config of every variant, that what its folder holds is of that config, and that the
// report can be written; returns each run's steps. Throws UsageError.
std::vector<int64_t> check_variants(const Experiment& experiment,
                                    const std::vector<Variant>& variants);

// Does the same, then trains each in a process of its own, so that memory and
// failures are its own; those that an earlier call finished are not trained again, one that was cut
// off goes on from its newest checkpoint. Returns the runs in order; one that diverged is among
// them. Throws UsageError for a config that cannot be trained, and Error where a run failed or was
// interrupted (then with the code of an interruption).
std::vector<RunRecord> run_variants(const Experiment& experiment,
                                    const std::vector<Variant>& variants);

}  // namespace anneal
