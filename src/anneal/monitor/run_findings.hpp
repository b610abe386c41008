#pragma once

#include <string>
#include <vector>

#include "anneal/monitor/run_summary.hpp"

namespace anneal {

// A sentence of a report, a pure function of the runs' numbers.
struct Finding {
  enum class Kind { conclusion, good, note, caution, problem };

  Kind kind = Kind::note;
  std::string run;    // label of the run that it is about; "": of all
  std::string topic;  // one word for programs: "speed", "memory", …
  std::string text;
};

std::string_view name_of(Finding::Kind kind);

// What a run says by itself: whether it came to its end, still improves or overfits, what its time
// and memory went to, and what to do about it. Thresholds are in docs/reports.md.
std::vector<Finding> find_in_run(const RunRecord& run, const RunSummary& summary);

}  // namespace anneal
