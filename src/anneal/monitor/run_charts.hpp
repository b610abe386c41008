#pragma once

#include <string>
#include <vector>

#include "anneal/monitor/run_record.hpp"

namespace anneal {

// Charts of one kind, and what a reader has to know to read them.
struct ChartGroup {
  std::string title;
  std::string explanation;
  std::vector<std::string> svgs;
};

// The curves of the runs: losses over steps, tokens and time; learning rate and gradient norm;
// speed; memory. Charts for which no run has a value are left out.
std::vector<ChartGroup> run_charts(const std::vector<RunRecord>& runs);

}  // namespace anneal
