#include <nlohmann/json.hpp>

#include "anneal/base/error.hpp"
#include "anneal/monitor/report_page.hpp"
#include "anneal/monitor/run_comparison.hpp"
#include "anneal/monitor/run_facts.hpp"

namespace anneal {
namespace {

using Json = nlohmann::ordered_json;

Json optional(const auto& value) { return value ? Json(*value) : Json(); }

Json json_of(const std::vector<RunFact>& facts) {
  Json json = Json::object();
  for (const RunFact& fact : facts)
    std::visit(
        [&](const auto& value) {
          if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::monostate>)
            json[fact.key] = nullptr;
          else
            json[fact.key] = value;
        },
        fact.value);
  return json;
}

Json json_of(const RunRecord& run, const RunSummary& summary) {
  Json json = {{"name", run.label}, {"folder", run.source.folder}, {"notes", run.source.notes}};
  json["settings"] = Json::object();
  for (const auto& [key, value] : run.source.settings) json["settings"][key] = value;
  json["results"] = json_of(quality_facts(run, summary));
  json["machine"] = json_of(machine_facts(run, summary));
  json["diverged_step"] = optional(summary.diverged_step);
  json["intended_steps"] = optional(summary.intended_steps);
  json["constant_lr_step"] = optional(summary.constant_lr_step);
  json["alerts"] = Json::array();
  for (const AlertEvent& alert : run.alerts)
    json["alerts"].push_back(
        {{"step", alert.step}, {"kind", alert.kind}, {"message", alert.message}});
  json["checkpoints"] = Json::array();
  for (const CheckpointEvent& c : run.checkpoints)
    json["checkpoints"].push_back({{"step", c.step},
                                   {"path", c.path},
                                   {"bytes", c.bytes},
                                   {"stall_seconds", c.stall_seconds},
                                   {"total_seconds", c.total_seconds}});
  return json;
}

Json json_of(const RunComparison& c, const std::vector<RunRecord>& runs) {
  return {{"run", runs[c.run].label},
          {"against", runs[c.against].label},
          {"settings", c.settings},
          {"machine", c.machine},
          {"speed", optional(c.speed)},
          {"speed_threshold", c.speed_threshold},
          {"speed_shows", c.speed_shows},
          {"measure", c.measure},
          {"incomparable", c.incomparable},
          {"caveat", c.caveat},
          {"value", optional(c.value)},
          {"against_value", optional(c.against_value)},
          {"at_tokens", optional(c.at_tokens)},
          {"loss_threshold", c.loss_threshold},
          {"loss_shows", c.loss_shows},
          {"after_seconds", optional(c.after_seconds)},
          {"value_then", optional(c.value_then)},
          {"against_value_then", optional(c.against_value_then)},
          {"memory", optional(c.memory)},
          {"memory_shows", c.memory_shows}};
}

}  // namespace

std::string report_json(const ReportPage& page) {
  ANNEAL_ASSERT(!page.runs.empty(), "a report needs a run");
  std::vector<RunSummary> summaries;
  for (const RunRecord& run : page.runs) summaries.push_back(summarise_run(run));
  Json json = {{"title", title_of(page)}, {"introduction", page.introduction}};
  json["findings"] = Json::array();
  for (const Finding& finding : findings_of(page, summaries))
    json["findings"].push_back({{"kind", name_of(finding.kind)},
                                {"run", finding.run},
                                {"topic", finding.topic},
                                {"text", finding.text}});
  json["runs"] = Json::array();
  for (size_t i = 0; i < page.runs.size(); ++i)
    json["runs"].push_back(json_of(page.runs[i], summaries[i]));
  json["differing_settings"] = Json::object();
  for (const DifferingSetting& row : differing_settings(page.runs))
    json["differing_settings"][row.key] = row.values;
  json["comparisons"] = Json::array();
  for (size_t i = 1; i < page.runs.size(); ++i)
    json["comparisons"].push_back(json_of(compare_runs(page.runs, summaries, i, 0), page.runs));
  json["sections"] = Json::array();
  for (const ReportSection& section : page.sections) {
    Json entry = {{"title", section.title}, {"text", section.text}};
    if (section.table)
      entry["table"] = {{"head", section.table->head}, {"rows", section.table->rows}};
    json["sections"].push_back(std::move(entry));
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace anneal
