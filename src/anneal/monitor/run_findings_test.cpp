#include "anneal/monitor/run_findings.hpp"

#include <gtest/gtest.h>
#include <cmath>

#include "anneal/monitor/testing/made_run.hpp"

namespace anneal {
namespace {

std::vector<Finding> findings_of(const RunRecord& run) {
  return find_in_run(run, summarise_run(run));
}
std::vector<Finding> findings_of(const MadeRun& made) { return findings_of(made.record()); }

// The sentence about a topic, with its kind: "caution: a …"; "" if there is none.
std::string about(const std::vector<Finding>& findings, std::string_view topic) {
  for (const Finding& finding : findings)
    if (finding.topic == topic) return std::string(name_of(finding.kind)) + ": " + finding.text;
  return {};
}

TEST(RunFindings, AQuietRunIsReportedWithoutAlarm) {
  const auto findings = findings_of(MadeRun());
  EXPECT_EQ(
      about(findings, "result"),
      "note: a has a validation loss of 2.1150 (perplexity 8.29, 1.0575 bits per byte) after 200 "
      "steps, 200k tokens and 2.02 s of training.");
  EXPECT_EQ(
      about(findings, "improvement"),
      "note: a no longer improves: over the last fifth of its steps its validation loss moved by "
      "−0.18 %. More steps will hardly lower it; a larger model or more text may.");
  EXPECT_EQ(
      about(findings, "memory"),
      "good: a: planned memory and measured agree (100.0 MiB measured against 100.0 MiB planned, "
      "+0.00 %).");
  for (const Finding& finding : findings) {
    EXPECT_NE(finding.kind, Finding::Kind::caution) << finding.text;
    EXPECT_NE(finding.kind, Finding::Kind::problem) << finding.text;
  }
}

TEST(RunFindings, SaysWhetherTheLossStillFalls) {
  MadeRun made;
  made.validation = [](int64_t step) { return 4 - 0.01 * static_cast<double>(step); };
  EXPECT_EQ(about(findings_of(made), "improvement"),
            "note: a still improves: its validation loss fell by 16.7 % over the last fifth of its "
            "steps. Train longer.");
  made.validation = [](int64_t step) {
    return step <= 100 ? 3 - 0.01 * step : 2 + 0.001 * (step - 100);
  };
  EXPECT_EQ(about(findings_of(made), "improvement"),
            "caution: a overfits: its validation loss was lowest at step 100 (2.0000) and rose to "
            "2.1000 (+5.0 %). Use the checkpoint of that step, train on more text, or set "
            "model.dropout.");
  made.eval_every = 0;
  made.loss = [](int64_t step) { return 4 - 0.01 * static_cast<double>(step); };
  EXPECT_NE(about(findings_of(made), "improvement").find("its training loss fell"),
            std::string::npos);
  made.steps = 5;
  EXPECT_EQ(about(findings_of(made), "improvement"), "");
}

TEST(RunFindings, NoiseIsNoImprovement) {
  MadeRun made;
  made.validation = [](int64_t step) { return step / 10 % 2 ? 2.1 : 2.0; };
  EXPECT_NE(about(findings_of(made), "improvement").find("no longer improves"), std::string::npos);
}

TEST(RunFindings, TellsADivergedRunFromAnUnstableOne) {
  MadeRun made;
  made.loss = [](int64_t step) { return step < 150 ? 2.0 : NAN; };
  made.status = "diverged";
  auto findings = findings_of(made);
  EXPECT_EQ(about(findings, "stability"),
            "problem: a diverged: after step 150 a loss, gradient or weight was not finite. Lower "
            "optimizer.lr or lengthen schedule.warmup_steps.");
  EXPECT_EQ(about(findings, "improvement"), "");
  EXPECT_EQ(about(findings, "result"), "");
  made.loss = [](int64_t step) { return step < 100 ? 2.0 : 3.0; };
  made.status = "done";
  EXPECT_NE(about(findings_of(made), "stability").find("rose from 2.0000 around step 10 to 3.0000"),
            std::string::npos)
      << about(findings_of(made), "stability");
}

TEST(RunFindings, SaysHowItEnded) {
  MadeRun made;
  EXPECT_EQ(about(findings_of(made), "end"), "");
  made.steps = 120;
  made.status = "";
  EXPECT_EQ(
      about(findings_of(made), "end"),
      "caution: a has no end: it still runs, or was killed. It is at step 120 of 200; all below "
      "is of what it has done so far.");
  made.status = "interrupted";
  EXPECT_NE(about(findings_of(made), "end").find("interrupted at step 120 of 200"),
            std::string::npos);
  made.status = "evaporated";  // of another version
  EXPECT_NE(about(findings_of(made), "end").find("\"evaporated\""), std::string::npos);
}

TEST(RunFindings, FindsWhereTheTimeGoes) {
  MadeRun made;
  made.data_wait_seconds = 0.0012;
  made.set("data.prefetch", "false");
  EXPECT_EQ(about(findings_of(made), "data"),
            "caution: a: waits for data take 11.9 % of the steps' time. Turn data.prefetch on.");
  made.set("data.prefetch", "true");
  EXPECT_NE(about(findings_of(made), "data").find("although data.prefetch is on"),
            std::string::npos);
  made.slowdown = [](int64_t step) { return step > 100 ? 1.25 : 1.0; };
  EXPECT_NE(about(findings_of(made), "throughput").find("throughput fell by 20.0 %"),
            std::string::npos);
  made.mfu = 0.2;
  EXPECT_NE(about(findings_of(made), "utilisation").find("anneal profile"), std::string::npos);
  made.mfu = 1.6;
  EXPECT_NE(about(findings_of(made), "utilisation").find("not known"), std::string::npos);
}

TEST(RunFindings, OverflowsOfTheLossScaleAreNoAlerts) {
  RunRecord run = MadeRun().record();
  EXPECT_EQ(about(findings_of(run), "loss_scale"), "");
  for (auto& step : run.steps) step.loss_scale = 4096;
  run.steps[3].skipped = 2;
  run.alerts.push_back({3, "overflow", "step 4: …"});
  auto findings = findings_of(run);
  EXPECT_NE(about(findings, "loss_scale").find("note: a: 2 attempts at a step overflowed"),
            std::string::npos);
  EXPECT_NE(about(findings, "loss_scale").find("ended at 4096"), std::string::npos);
  EXPECT_EQ(about(findings, "alerts"), "");
  for (auto& step : run.steps) step.skipped = 1;
  findings = findings_of(run);
  EXPECT_NE(about(findings, "loss_scale").find("caution"), std::string::npos);
  EXPECT_NE(about(findings, "loss_scale").find("loss_scale_interval"), std::string::npos);
}

TEST(RunFindings, MemoryBeyondThePlanIsAProblem) {
  MadeRun made;
  made.peak_anon_bytes = (110 << 20) + (3 << 20);
  EXPECT_EQ(
      about(findings_of(made), "memory"),
      "problem: a took more memory than planned (103.0 MiB measured against 100.0 MiB planned, "
      "+3.0 %).");
  made.peak_anon_bytes = 100 << 20;
  EXPECT_NE(about(findings_of(made), "memory").find("note: a took less"), std::string::npos);
  made.status = "";
  EXPECT_EQ(about(findings_of(made), "memory"), "");
}

TEST(RunFindings, FindsScheduleClippingAndAlerts) {
  MadeRun made;
  made.lr = [](int64_t step) { return step < 150 ? 1e-3 : 1e-4; };
  made.set("train.clip", "0.25");
  auto events = made.events();
  events.push_back(AlertEvent{7, "spike", "m"});
  events.push_back(AlertEvent{9, "not_finite", "m"});
  const auto findings =
      findings_of(make_run_record({.folder = "a", .name = "a", .settings = made.settings}, events));
  EXPECT_NE(about(findings, "schedule")
                .find("ended at step 150; the last 25.5 % of the steps ran at 0.0001"),
            std::string::npos)
      << about(findings, "schedule");
  EXPECT_NE(about(findings, "clipping").find("100.0 %"), std::string::npos);
  EXPECT_EQ(about(findings, "alerts"),
            "caution: a wrote 2 alerts (not_finite and spike), the first at step 7.");
}

}  // namespace
}  // namespace anneal
