#include "anneal/monitor/report_page.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "anneal/monitor/line_chart.hpp"
#include "anneal/monitor/report_text.hpp"
#include "anneal/monitor/testing/made_run.hpp"
#include "anneal/monitor/testing/xml_check.hpp"

namespace anneal {
namespace {

ReportPage page_of(const std::vector<MadeRun>& made) {
  ReportPage page;
  for (const MadeRun& run : made) page.runs.push_back(run.record());
  label_runs(page.runs);
  return page;
}

// The page's elements; throws where its markup is not well-formed.
std::vector<XmlElement> elements_of(const std::string& html) {
  return parse_xml(std::string_view(html).substr(html.find("<html")));
}

std::vector<std::string> texts(const std::vector<XmlElement>& elements, std::string_view name) {
  std::vector<std::string> out;
  for (const auto& element : elements)
    if (element.name == name) out.push_back(element.text);
  return out;
}

bool has(const std::vector<std::string>& texts, const std::string& text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

TEST(ReportPage, IsOneFileWithoutScriptsAndNetwork) {
  MadeRun b;
  b.name = "b";
  const std::string html = report_html(page_of({MadeRun(), b}));
  const auto elements = elements_of(html);
  EXPECT_EQ(texts(elements, "script").size(), 0u);
  EXPECT_EQ(texts(elements, "link").size(), 0u);
  EXPECT_EQ(texts(elements, "img").size(), 0u);
  EXPECT_EQ(html.find("url("), std::string::npos);
  EXPECT_EQ(html.find("@import"), std::string::npos);
  EXPECT_EQ(html.find("<?xml"), std::string::npos);
  EXPECT_EQ(texts(elements, "svg").size(), 14u);
  EXPECT_TRUE(has(texts(elements, "h1"), "a and b compared"));
  EXPECT_EQ(html, report_html(page_of({MadeRun(), b})));
}

TEST(ReportPage, ShowsDifferingSettingsFirstAndFoldsTheOthers) {
  MadeRun b;
  b.name = "b";
  b.set("train.precision", "\"bf16\"");
  const auto elements = elements_of(report_html(page_of({MadeRun(), b})));
  std::vector<std::string> differs;
  for (const auto& element : with_class(elements, "td", "differs")) differs.push_back(element.text);
  EXPECT_EQ(differs, std::vector<std::string>{"\"bf16\""});
  EXPECT_EQ(texts(elements, "summary"),
            std::vector<std::string>{"6 settings that are equal in all runs"});
}

TEST(ReportPage, HostileTextStaysText) {
  const std::string evil = "</title></style><script>alert(1)</script>\"'&\x01\xff";
  MadeRun run;
  run.name = evil;
  run.host = evil;
  run.status = evil;
  run.set(evil, evil);
  auto events = run.events();
  events.push_back(AlertEvent{1, evil, evil});
  ReportPage page;
  page.title = evil;
  page.introduction = evil + "\n\n" + evil;
  page.runs = {make_run_record({evil, evil, run.settings, {evil}}, events), MadeRun().record()};
  page.sections = {{evil, evil, ReportTable{{evil, evil}, {{evil, evil}}}, {}}};
  const std::string html = report_html(page);
  const auto elements = elements_of(html);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(texts(elements, "script").size(), 0u);
  EXPECT_TRUE(nlohmann::json::accept(report_json(page)));
}

TEST(ReportPage, ShowsWhatACallerAdds) {
  ReportPage page = page_of({MadeRun()});
  page.introduction = "First.\n\nSecond.";
  page.sections = {{"Checks",
                    "All pass.",
                    ReportTable{{"check", "ms"}, {{"one", "1.5"}}},
                    {line_chart_svg({"Extra", {"x"}, {"y"}, {{"s", {{0, 1}, {1, 2}}}}})}}};
  const auto elements = elements_of(report_html(page));
  EXPECT_TRUE(has(texts(elements, "p"), "First."));
  EXPECT_TRUE(has(texts(elements, "p"), "Second."));
  EXPECT_TRUE(has(texts(elements, "h2"), "Checks"));
  EXPECT_TRUE(has(texts(elements, "td"), "1.5"));
  EXPECT_TRUE(has(texts(elements, "text"), "Extra"));
  const auto json = nlohmann::json::parse(report_json(page));
  EXPECT_EQ(json["sections"][0]["table"]["rows"][0][1], "1.5");
}

TEST(ReportPage, OddRunsStillMakeAPage) {
  MadeRun one, bad;
  one.steps = 1;
  bad.loss = [](int64_t) { return NAN; };
  bad.validation = [](int64_t) { return INFINITY; };
  bad.settings.clear();
  ReportPage page = page_of({one, bad});
  page.runs.push_back(make_run_record({.folder = "x"}, {StartEvent{}}));
  page.runs.push_back(make_run_record({.folder = "y"}, {EndEvent{.status = "failed"}}));
  page.runs.push_back(make_run_record({.folder = "z"}, {EvalEvent{.step = 3, .loss = 2}}));
  label_runs(page.runs);
  EXPECT_NO_THROW(elements_of(report_html(page)));
  EXPECT_TRUE(nlohmann::json::accept(report_json(page)));
  for (const RunRecord& run : page.runs) {
    ReportPage alone;
    alone.runs = {run};
    EXPECT_NO_THROW(elements_of(report_html(alone))) << run.label;
  }
}

TEST(ReportPage, JsonHasTheNumbersAndSentences) {
  MadeRun b;
  b.name = "b";
  b.step_seconds = 0.005;
  b.mfu = NAN;
  b.set("train.precision", "\"bf16\"");
  const auto json = nlohmann::json::parse(report_json(page_of({MadeRun(), b})));
  EXPECT_EQ(json["runs"][0]["results"]["steps"], 200);
  EXPECT_DOUBLE_EQ(json["runs"][0]["results"]["validation_loss"], 2.115);
  EXPECT_TRUE(json["runs"][1]["results"]["mfu"].is_null());
  EXPECT_EQ(json["runs"][1]["machine"]["host"], "here");
  EXPECT_EQ(json["runs"][1]["settings"]["train.precision"], "\"bf16\"");
  EXPECT_EQ(json["runs"][0]["checkpoints"][0]["bytes"], 4000);
  EXPECT_NEAR(json["comparisons"][0]["speed"], 2, 1e-9);
  EXPECT_EQ(json["differing_settings"]["train.precision"][1], "\"bf16\"");
  EXPECT_EQ(json["findings"][0]["kind"], "conclusion");
}

TEST(ReportText, Numbers) {
  EXPECT_EQ(percent_text(0.1234), "12.3 %");
  EXPECT_EQ(percent_text(0.001), "0.10 %");
  EXPECT_EQ(change_text(-0.047), "−4.7 %");
  EXPECT_EQ(ratio_text(1.8349), "1.83×");
  EXPECT_EQ(count_text(-1024000), "-1\u202f024\u202f000");
  EXPECT_EQ(compact_count(1024000), "1.02M");
  EXPECT_EQ(compact_count(873), "873");
  EXPECT_EQ(compact_count(999999), "1.00M");
  EXPECT_EQ(duration_text(0.0123), "12.30 ms");
  EXPECT_EQ(duration_text(200), "3 min 20 s");
  EXPECT_EQ(duration_text(7500), "2 h 05 min");
  EXPECT_EQ(loss_text(NAN), "not a number");
  EXPECT_EQ(list_text({"a", "b", "c"}), "a, b and c");
}

}  // namespace
}  // namespace anneal
