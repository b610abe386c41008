#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "anneal/monitor/run_summary.hpp"

namespace anneal {

// One number or text about a run: a row of a report's tables, and a field of its JSON.
struct RunFact {
  enum class Format { text, count, loss, number, seconds, bytes, share, change };

  const char* key;    // in the JSON
  const char* label;  // in the table
  Format format;
  std::variant<std::monostate, int64_t, double, std::string> value;  // none: not known

  bool known() const { return value.index() != 0; }
  std::string text() const;  // as the tables show it; "–" where it is not known
};

// Both give the same rows, in the same order, for every run.
std::vector<RunFact> quality_facts(const RunRecord& run, const RunSummary& summary);
std::vector<RunFact> machine_facts(const RunRecord& run, const RunSummary& summary);

}  // namespace anneal
