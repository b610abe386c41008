#pragma once

#include <string>

#include "anneal/cli/config_file.hpp"

namespace anneal {

struct PlanReportOptions {
  bool json = false;
  bool print_program = false;
  std::string print_after;  // a pass
};

// The vocabulary's size that a run of this config will have, from sizes and headers alone.
int64_t vocabulary_of(const RunConfig& config);

// Compiles the config's programs without any weights and prints to stdout what a run needs: memory
// by layer and class, FLOPs and bytes a step, sizes of the programs. Where the vocabulary is known
// only after a tokenizer is trained, it is the one asked for (bpe:N).
void print_plan(const LoadedConfig& loaded, const PlanReportOptions& options);

}  // namespace anneal
