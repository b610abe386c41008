#pragma once

#include <filesystem>

#include "anneal/monitor/run_record.hpp"

namespace anneal {

// What a run's folder tells: metrics, and the settings of its config.toml. Throws UsageError naming
// the path where there is no folder or no metrics; without a readable config the settings stay
// unknown, which is logged and noted in the record.
RunRecord load_run(const std::filesystem::path& folder);

}  // namespace anneal
