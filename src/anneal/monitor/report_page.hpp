#pragma once

#include <optional>
#include <string>
#include <vector>

#include "anneal/monitor/run_comparison.hpp"
#include "anneal/monitor/run_record.hpp"

namespace anneal {

struct ReportTable {
  std::vector<std::string> head;               // of the columns; the first names the rows
  std::vector<std::vector<std::string>> rows;  // each as long as the head
};

// What a command adds to a report, after the conclusions. Texts are plain: they are escaped.
struct ReportSection {
  std::string title;
  std::string text;  // paragraphs, with an empty line between them; "": none
  std::optional<ReportTable> table;
  std::vector<std::string> drawings;  // SVG documents, as this room's functions draw them
};

// A report on runs. Both forms below are pure functions of it.
struct ReportPage {
  std::string title;            // "": made from the runs' labels
  std::string introduction;     // as ReportSection::text
  std::string conclusion;       // "": the one that the runs' numbers give, see conclude()
  std::vector<RunRecord> runs;  // at least one, labelled (label_runs)
  std::vector<ReportSection> sections;
};

// All sentences of the page, the conclusion first.
std::vector<Finding> findings_of(const ReportPage& page, const std::vector<RunSummary>& summaries);

// A self-contained HTML page: no scripts, nothing from elsewhere.
std::string report_html(const ReportPage& page);

// All numbers and sentences of the page as one JSON object; docs/reports.md describes it.
std::string report_json(const ReportPage& page);

// The title of the page.
std::string title_of(const ReportPage& page);

}  // namespace anneal
