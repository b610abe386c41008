#include "anneal/monitor/run_findings.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "anneal/base/error.hpp"
#include "anneal/monitor/plot_text.hpp"
#include "anneal/monitor/report_text.hpp"

namespace anneal {
namespace {

using Kind = Finding::Kind;

constexpr double loss_rise = 0.15;       // of the training loss above its best: unstable
constexpr double overfit_rise = 0.005;   // of the validation loss above its best
constexpr double still_improves = 0.01;  // fall of the loss over the last fifth
constexpr double no_longer_improves = 0.003;
constexpr double constant_lr = 0.1;  // of the steps
constexpr double throughput_moves = 0.1;
constexpr double data_waits = 0.05;       // of the steps' time
constexpr double other_work = 0.1;        // of the wall time
constexpr double saving_stalls = 0.02;    // of the steps' time
constexpr double memory_agrees = 0.01;    // of what was planned
constexpr double memory_grain = 1 << 20;  // bytes; less is the allocator's, not the plan's
constexpr double low_mfu = 0.4;
constexpr double skips_often = 0.05;  // of the attempts at a step
constexpr double clips_often = 0.5;   // of the steps in the second half

class Finder {
 public:
  Finder(const RunRecord& run, const RunSummary& summary) : run_(run), s_(summary) {}

  std::vector<Finding> find() {
    result();
    stability();
    end();
    if (!s_.diverged()) {
      improvement();
      schedule();
    }
    throughput();
    data_wait();
    other_time();
    utilisation();
    memory();
    clipping();
    overflows();
    alerts();
    return std::move(findings_);
  }

 private:
  template <class... Parts>
  void add(Kind kind, const char* topic, const Parts&... parts) {
    findings_.push_back({kind, run_.label, topic, str(run_.label, parts...)});
  }

  std::string step_of_all() const {
    std::string text = str("step ", s_.steps);
    if (s_.intended_steps) text += str(" of ", *s_.intended_steps);
    return text;
  }

  void result() {
    if (s_.diverged()) return;  // what it had reached is worth nothing
    const std::string work = str(
        " after ", s_.steps, s_.steps == 1 ? " step" : " steps",
        s_.tokens ? str(", ", compact_count(static_cast<double>(*s_.tokens)), " tokens") : str(""),
        " and ", duration_text(s_.training_seconds), " of training.");
    if (s_.final_eval)
      add(Kind::note, "result", " has a validation loss of ", loss_text(s_.final_eval->loss),
          " (perplexity ", number_text(s_.final_eval->perplexity),
          s_.final_eval->bits_per_byte
              ? str(", ", loss_text(*s_.final_eval->bits_per_byte), " bits per byte")
              : str(""),
          ")", work);
    else if (s_.final_train_loss)
      add(Kind::note, "result", " has a training loss of ", loss_text(*s_.final_train_loss), work);
    else
      add(Kind::note, "result", " has no loss yet", work);
  }

  void end() {
    if (s_.status == "no end")
      add(Kind::caution, "end", " has no end: it still runs, or was killed. It is at ",
          step_of_all(), "; all below is of what it has done so far.");
    else if (s_.status == "interrupted")
      add(Kind::caution, "end", " was interrupted at ", step_of_all(),
          ": anneal train --resume goes on from there.");
    else if (s_.status == "failed")
      add(Kind::problem, "end", " failed at ", step_of_all(), "; its log.txt says why.");
    else if (s_.status != "done" && s_.status != "diverged")
      add(Kind::note, "end", " ended as \"", s_.status, "\" at ", step_of_all(), ".");
  }

  void stability() {
    if (s_.diverged()) {
      add(Kind::problem, "stability", " diverged: after step ", *s_.diverged_step,
          " a loss, gradient or weight was not finite. Lower optimizer.lr or lengthen "
          "schedule.warmup_steps.");
      return;
    }
    if (!s_.final_train_loss || !s_.best_train_loss) return;
    const double rise = *s_.final_train_loss / *s_.best_train_loss - 1;
    if (rise > loss_rise && *s_.final_train_loss - *s_.best_train_loss > 4 * *s_.train_loss_error)
      add(Kind::problem, "stability", " is unstable: its training loss rose from ",
          loss_text(*s_.best_train_loss), " around step ", *s_.best_train_step, " to ",
          loss_text(*s_.final_train_loss), " (", change_text(rise),
          "). Lower optimizer.lr or train.clip.");
  }

  bool overfits() const {
    if (!s_.final_eval || !s_.best_eval || !(s_.best_eval->step < s_.final_eval->step))
      return false;
    const double rise = s_.final_eval->loss - s_.best_eval->loss;
    return rise > overfit_rise * s_.best_eval->loss && rise > 3 * s_.eval_noise.value_or(0);
  }

  void improvement() {
    if (overfits()) {
      const double rise = s_.final_eval->loss / s_.best_eval->loss - 1;
      add(Kind::caution, "improvement", " overfits: its validation loss was lowest at step ",
          s_.best_eval->step, " (", loss_text(s_.best_eval->loss), ") and rose to ",
          loss_text(s_.final_eval->loss), " (", change_text(rise),
          "). Use the checkpoint of that step, train on more text, or set model.dropout.");
      return;
    }
    if (!s_.last_fifth_change) return;
    const double change = *s_.last_fifth_change;
    const char* what = s_.final_eval ? "validation loss" : "training loss";
    // What the noise of the curve could make is no change.
    const double noise =
        s_.final_eval ? 2 * s_.eval_noise.value_or(0) / s_.final_eval->loss
                      : 3 * s_.train_loss_error.value_or(0) / s_.final_train_loss.value_or(1);
    if (change <= -std::max(still_improves, noise))
      add(Kind::note, "improvement", " still improves: its ", what, " fell by ",
          percent_text(-change), " over the last fifth of its steps. Train longer.");
    else if (std::abs(change) < std::max(no_longer_improves, noise))
      add(Kind::note, "improvement", " no longer improves: over the last fifth of its steps its ",
          what, " moved by ", change_text(change),
          ". More steps will hardly lower it; a larger model or more text may.");
    else if (change < 0)
      add(Kind::note, "improvement", " improves slowly: its ", what, " fell by ",
          percent_text(-change), " over the last fifth of its steps.");
    else
      add(Kind::caution, "improvement", " gets worse: its ", what, " rose by ",
          percent_text(change), " over the last fifth of its steps.");
  }

  void schedule() {
    // Restarts end with the steps, whatever their peaks have come down to.
    if (!s_.constant_lr_step || run_.setting("schedule.kind") == "\"warm_restarts\"") return;
    const double share = static_cast<double>(s_.steps - *s_.constant_lr_step + 1) /
                         static_cast<double>(std::max<int64_t>(s_.steps, 1));
    if (share < constant_lr) return;
    add(Kind::caution, "schedule", ": the learning rate schedule ended at step ",
        *s_.constant_lr_step, "; the last ", percent_text(share), " of the steps ran at ",
        number_text(*s_.final_lr), ". Set schedule.horizon to the steps that you train.");
  }

  void throughput() {
    if (!s_.throughput_change || !s_.throughput_change_shows) return;
    if (std::abs(*s_.throughput_change) < throughput_moves) return;
    if (*s_.throughput_change < 0)
      add(Kind::caution, "throughput", ": throughput fell by ",
          percent_text(-*s_.throughput_change),
          " from the first to the last quarter of the run: other programs took the machine, or it "
          "throttled. Times of this run are worth less for that.");
    else
      add(Kind::note, "throughput", ": throughput rose by ", percent_text(*s_.throughput_change),
          " from the first to the last quarter of the run: something else took the machine at "
          "first.");
  }

  void data_wait() {
    if (s_.data_wait_share.value_or(0) < data_waits) return;
    const auto prefetch = run_.setting("data.prefetch");
    add(Kind::caution, "data", ": waits for data take ", percent_text(*s_.data_wait_share),
        " of the steps' time",
        prefetch == "false" ? ". Turn data.prefetch on."
        : prefetch == "true"
            ? " although data.prefetch is on: storage is slower than the step. Put the prepared "
              "data on a faster disk."
            : ". See that data.prefetch is on.");
  }

  void other_time() {
    if (s_.other_share.value_or(0) >= other_work)
      add(Kind::note, "time", ": evaluation, sampling and saving took ",
          percent_text(*s_.other_share), " of its wall time (", duration_text(*s_.wall_seconds),
          "). A larger train.eval_every or fewer train.eval_batches give that to training.");
    if (s_.training_seconds > 0 && s_.stall_seconds / s_.training_seconds >= saving_stalls)
      add(Kind::caution, "time", ": saving stopped training for ", duration_text(s_.stall_seconds),
          ", ", percent_text(s_.stall_seconds / s_.training_seconds),
          " of the steps' time. Raise checkpoint.every.");
  }

  void utilisation() {
    if (!s_.mfu) return;
    if (*s_.mfu > 1) {
      add(Kind::note, "utilisation",
          ": how well it uses the machine is not known, since the machine's matrix rate was "
          "measured while something else took it.");
      return;
    }
    const bool low = *s_.mfu < low_mfu;
    add(low ? Kind::caution : Kind::note, "utilisation", ": its matrix products run at ",
        percent_text(*s_.mfu), " of the machine's measured matrix rate (median of the steps).",
        low ? " anneal profile shows where the rest goes; small matrices are the usual reason."
            : "");
  }

  void memory() {
    if (!s_.memory_deviation) return;
    const double deviation = *s_.memory_deviation;
    const auto took = static_cast<double>(*s_.peak_anon_bytes - *s_.baseline_bytes);
    const auto planned = static_cast<double>(*s_.planned_bytes);
    const std::string numbers = str(format_bytes(took), " measured against ", format_bytes(planned),
                                    " planned, ", change_text(deviation));
    if (std::abs(deviation) <= memory_agrees)
      add(Kind::good, "memory", ": planned memory and measured agree (", numbers, ").");
    else if (std::abs(took - planned) <= memory_grain)
      add(Kind::good, "memory", ": planned memory and measured differ by less than 1 MiB (",
          numbers, ").");
    else if (deviation > 0)
      add(Kind::problem, "memory", " took more memory than planned (", numbers, ").");
    else
      add(Kind::note, "memory", " took less memory than planned (", numbers, ").");
  }

  void clipping() {
    if (s_.clipped_share.value_or(0) < clips_often) return;
    add(Kind::note, "clipping", ": the gradient was clipped in ", percent_text(*s_.clipped_share),
        " of the steps of its second half, so train.clip decides how far a step goes.");
  }

  void alerts() {
    std::set<std::string> kinds;
    size_t count = 0;
    std::optional<int64_t> first;
    for (const AlertEvent& alert : run_.alerts) {
      if (alert.kind == "overflow") continue;  // how a loss scale finds its size
      kinds.insert(alert.kind);
      ++count;
      if (!first) first = alert.step;
    }
    if (first)
      add(Kind::caution, "alerts", " wrote ", count, count == 1 ? " alert" : " alerts", " (",
          list_text({kinds.begin(), kinds.end()}), "), the first at step ", *first, ".");
  }

  void overflows() {
    int64_t attempts = 0;
    std::optional<double> scale;
    for (const StepEvent& step : run_.steps) {
      attempts += step.skipped;
      if (step.loss_scale) scale = step.loss_scale;
    }
    if (!scale) return;
    double share = static_cast<double>(attempts) /
                   static_cast<double>(attempts + std::max<int64_t>(1, s_.steps));
    bool often = share > skips_often;
    add(often ? Kind::caution : Kind::note, "loss_scale", ": ", attempts,
        attempts == 1 ? " attempt" : " attempts", " at a step overflowed in fp16 (",
        percent_text(share), " of all) and ", attempts == 1 ? "was" : "were",
        " made again; the loss scale ended at ", number_text(*scale), ".",
        often ? " A larger train.loss_scale_interval wastes fewer." : "");
  }

  const RunRecord& run_;
  const RunSummary& s_;
  std::vector<Finding> findings_;
};

}  // namespace

std::string_view name_of(Finding::Kind kind) {
  switch (kind) {
    case Kind::conclusion:
      return "conclusion";
    case Kind::good:
      return "good";
    case Kind::note:
      return "note";
    case Kind::caution:
      return "caution";
    case Kind::problem:
      return "problem";
  }
  return "note";
}

std::vector<Finding> find_in_run(const RunRecord& run, const RunSummary& summary) {
  return Finder(run, summary).find();
}

}  // namespace anneal
