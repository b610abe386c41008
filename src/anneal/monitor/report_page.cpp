#include "anneal/monitor/report_page.hpp"

#include <algorithm>

#include "anneal/base/error.hpp"
#include "anneal/monitor/line_chart.hpp"
#include "anneal/monitor/plot_text.hpp"
#include "anneal/monitor/report_style.hpp"
#include "anneal/monitor/report_text.hpp"
#include "anneal/monitor/run_charts.hpp"
#include "anneal/monitor/run_comparison.hpp"
#include "anneal/monitor/run_facts.hpp"

namespace anneal {
namespace {

using Kind = Finding::Kind;

constexpr size_t most_alerts = 50;  // listed of each run

class PageWriter {
 public:
  explicit PageWriter(const ReportPage& page) : page_(page), runs_(page.runs) {
    for (const RunRecord& run : runs_) summaries_.push_back(summarise_run(run));
    findings_ = findings_of(page_, summaries_);
  }

  std::string write() {
    const std::string title = escape_xml(title_of(page_));
    put("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n",
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>", title,
        "</title>\n<style>", report_style(), "</style>\n</head>\n<body>\n<h1>", title, "</h1>\n");
    subtitle();
    paragraphs(page_.introduction);
    conclusions();
    for (const ReportSection& section : page_.sections) extra(section);
    settings();
    for (const ChartGroup& group : run_charts(runs_)) charts(group);
    heading("Results");
    facts("quality", [](const auto& run, const auto& s) { return quality_facts(run, s); });
    alerts();
    heading("Machine and run");
    facts("machine", [](const auto& run, const auto& s) { return machine_facts(run, s); });
    put("<footer>Written by anneal report from the runs' config.toml and metrics.jsonl. Every ",
        "sentence is computed from the numbers on this page.</footer>\n</body>\n</html>\n");
    return std::move(out_);
  }

 private:
  template <class... Parts>
  void put(const Parts&... parts) {
    (out_.append(parts), ...);
  }

  void heading(std::string_view text) { put("<h2>", escape_xml(text), "</h2>\n"); }

  void paragraphs(std::string_view text) {
    while (!text.empty()) {
      const size_t end = text.find("\n\n");
      put("<p>", escape_xml(text.substr(0, end)), "</p>\n");
      text.remove_prefix(end == text.npos ? text.size() : end + 2);
    }
  }

  void subtitle() {
    std::vector<std::string> folders;
    for (const RunRecord& run : runs_) folders.push_back(run.source.folder);
    put("<p class=\"subtitle\">", escape_xml(list_text(folders)), "</p>\n");
  }

  // An item of a list of sentences, with the kind as a word before it.
  void item(std::string_view kind, std::string_view text) {
    put("<li><span class=\"tag ", kind, "\">", kind, "</span><span>", escape_xml(text),
        "</span></li>\n");
  }

  void conclusions() {
    const auto of = [&](auto&& wanted, std::string_view title) {
      bool any = false;
      for (const Finding& finding : findings_) {
        if (!wanted(finding)) continue;
        if (!any && !title.empty()) put("<h3>", escape_xml(title), "</h3>\n");
        if (!any) put("<ul class=\"findings\">\n");
        any = true;
        item(name_of(finding.kind), finding.text);
      }
      if (any) put("</ul>\n");
    };
    for (const Finding& finding : findings_)
      if (finding.kind == Kind::conclusion)
        put("<div class=\"conclusion\"><p>", escape_xml(finding.text), "</p></div>\n");
    const auto compares = [](const Finding& f) {
      return f.topic == "comparison" || f.topic == "cause";
    };
    of([&](const Finding& f) { return f.kind != Kind::conclusion && compares(f); }, "");
    for (const RunRecord& run : runs_)
      of(
          [&](const Finding& f) {
            return f.kind != Kind::conclusion && !compares(f) && f.run == run.label;
          },
          runs_.size() > 1 ? run.label : "");
    notes();
  }

  void notes() {
    bool any = false;
    for (const RunRecord& run : runs_)
      for (const std::string& note : run.source.notes) {
        if (!any) put("<h3>On the files</h3>\n<ul class=\"findings\">\n");
        any = true;
        item("note", note);
      }
    if (any) put("</ul>\n");
  }

  void extra(const ReportSection& section) {
    heading(section.title);
    paragraphs(section.text);
    if (section.table) {
      put("<div class=\"scroll\"><table class=\"numbers\">\n<thead><tr>");
      for (const auto& cell : section.table->head) put("<th>", escape_xml(cell), "</th>");
      put("</tr></thead>\n<tbody>\n");
      for (const auto& row : section.table->rows) {
        for (size_t i = 0; i < row.size(); ++i)
          put(i == 0 ? "<tr><th>" : "<td>", escape_xml(row[i]), i == 0 ? "</th>" : "</td>");
        put("</tr>\n");
      }
      put("</tbody></table></div>\n");
    }
    for (const std::string& svg : section.drawings)
      put("<div class=\"drawing\">", inlined(svg), "</div>\n");
  }

  // A drawing within HTML has no XML declaration.
  static std::string_view inlined(std::string_view svg) {
    const size_t begin = svg.find("<svg");
    return begin == svg.npos ? svg : svg.substr(begin);
  }

  // The head of a table with a column for each run, marked with the colour of its curves.
  void runs_head(std::string_view first) {
    put("<thead><tr><th>", escape_xml(first), "</th>");
    for (size_t i = 0; i < runs_.size(); ++i) {
      put("<th>");
      if (runs_.size() > 1)
        put("<span class=\"swatch\" style=\"background:", chart_colour(i), "\"></span>");
      put(escape_xml(runs_[i].label), "</th>");
    }
    put("</tr></thead>\n");
  }

  void settings_table(const std::vector<DifferingSetting>& rows, bool mark) {
    put("<div class=\"scroll\"><table class=\"settings\">\n");
    runs_head("setting");
    put("<tbody>\n");
    for (const DifferingSetting& row : rows) {
      put("<tr><th>", escape_xml(row.key), "</th>");
      for (const std::string& value : row.values)
        put(mark && value != row.values[0] ? "<td class=\"differs\">" : "<td>",
            value.empty() ? "–" : escape_xml(value), "</td>");
      put("</tr>\n");
    }
    put("</tbody></table></div>\n");
  }

  void settings() {
    heading("Settings");
    const auto differing = differing_settings(runs_);
    if (!differing.empty()) settings_table(differing, true);
    std::vector<DifferingSetting> equal;
    for (const RunSetting& setting : runs_[0].source.settings)
      if (std::none_of(differing.begin(), differing.end(),
                       [&](const DifferingSetting& row) { return row.key == setting.first; }))
        equal.push_back({setting.first, std::vector<std::string>(runs_.size(), setting.second)});
    if (equal.empty() && differing.empty()) put("<p>No run has a readable config.toml.</p>\n");
    if (equal.empty()) return;
    if (runs_.size() > 1 && differing.empty()) put("<p>All settings are equal.</p>\n");
    put("<details><summary>", std::to_string(equal.size()),
        runs_.size() > 1 ? " settings that are equal in all runs" : " settings", "</summary>\n");
    settings_table(equal, false);
    put("</details>\n");
  }

  void charts(const ChartGroup& group) {
    heading(group.title);
    put("<p class=\"explanation\">", escape_xml(group.explanation),
        "</p>\n<div class=\"charts\">\n");
    for (const std::string& svg : group.svgs) put(inlined(svg));
    put("</div>\n");
  }

  template <class F>
  void facts(const char* css_class, F&& facts_of) {
    std::vector<std::vector<RunFact>> columns;
    for (size_t i = 0; i < runs_.size(); ++i) columns.push_back(facts_of(runs_[i], summaries_[i]));
    put("<div class=\"scroll\"><table class=\"numbers ", css_class, "\">\n");
    runs_head("");
    put("<tbody>\n");
    for (size_t row = 0; row < columns[0].size(); ++row) {
      if (std::none_of(columns.begin(), columns.end(),
                       [&](const auto& column) { return column[row].known(); }))
        continue;
      put("<tr><th>", escape_xml(columns[0][row].label), "</th>");
      for (const auto& column : columns)
        put(column[row].format == RunFact::Format::text ? "<td class=\"text\">" : "<td>",
            escape_xml(column[row].text()), "</td>");
      put("</tr>\n");
    }
    put("</tbody></table></div>\n");
  }

  void alerts() {
    for (const RunRecord& run : runs_) {
      if (run.alerts.empty()) continue;
      put("<h3>", escape_xml(str("Alerts of ", run.label)),
          "</h3>\n<div "
          "class=\"scroll\"><table>\n<thead><tr><th>step</th><th>kind</th><th>message</th>",
          "</tr></thead>\n<tbody>\n");
      for (size_t i = 0; i < std::min(run.alerts.size(), most_alerts); ++i) {
        const AlertEvent& alert = run.alerts[i];
        put("<tr><td>", std::to_string(alert.step), "</td><td>", escape_xml(alert.kind),
            "</td><td>", escape_xml(alert.message), "</td></tr>\n");
      }
      put("</tbody></table></div>\n");
      if (run.alerts.size() > most_alerts)
        put("<p>… and ", std::to_string(run.alerts.size() - most_alerts), " more.</p>\n");
    }
  }

  const ReportPage& page_;
  const std::vector<RunRecord>& runs_;
  std::vector<RunSummary> summaries_;
  std::vector<Finding> findings_;
  std::string out_;
};

}  // namespace

std::string title_of(const ReportPage& page) {
  if (!page.title.empty()) return page.title;
  if (page.runs.size() == 1) return str("Training run ", page.runs[0].label);
  constexpr size_t most = 4;
  if (page.runs.size() > most) return str(page.runs.size(), " training runs compared");
  std::vector<std::string> labels;
  for (const RunRecord& run : page.runs) labels.push_back(run.label);
  return str(list_text(labels), " compared");
}

std::vector<Finding> findings_of(const ReportPage& page, const std::vector<RunSummary>& summaries) {
  std::vector<Finding> findings = conclude(page.runs, summaries);
  if (page.conclusion.empty()) return findings;
  std::erase_if(findings, [](const Finding& f) { return f.kind == Finding::Kind::conclusion; });
  findings.insert(findings.begin(), {Finding::Kind::conclusion, "", "choice", page.conclusion});
  return findings;
}

std::string report_html(const ReportPage& page) {
  ANNEAL_ASSERT(!page.runs.empty(), "a report needs a run");
  return PageWriter(page).write();
}

}  // namespace anneal
