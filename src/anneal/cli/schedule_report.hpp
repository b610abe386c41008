#pragma once

#include <string>

#include "anneal/cli/config_file.hpp"

namespace anneal {

// Prints the learning rate over the steps of a run to stdout, and draws it to `svg`, unless that is
// "". Throws UsageError where there is no step or the file cannot be written.
void print_schedule(const LoadedConfig& loaded, const std::string& svg);

}  // namespace anneal
