#include "anneal/monitor/run_facts.hpp"

#include <cmath>

#include "anneal/monitor/plot_text.hpp"
#include "anneal/monitor/report_text.hpp"

namespace anneal {
namespace {

using Format = RunFact::Format;
using Value = decltype(RunFact::value);

// What is absent or not a number is not known.
Value value_of(const std::optional<double>& value) {
  return value && !std::isnan(*value) ? Value(*value) : Value();
}
Value value_of(const std::optional<int64_t>& value) { return value ? Value(*value) : Value(); }

template <class T, class Member>
Value member_of(const std::optional<T>& value, Member T::*member) {
  return value ? value_of(std::optional((*value).*member)) : Value();
}

Value bits_of(const std::optional<EvalEvent>& eval) {
  return eval ? value_of(eval->bits_per_byte) : Value();
}

std::string format(double value, Format format) {
  switch (format) {
    case Format::loss:
      return loss_text(value);
    case Format::seconds:
      return duration_text(value);
    case Format::bytes:
      return format_bytes(value);
    case Format::share:
      return percent_text(value);
    case Format::change:
      return change_text(value);
    case Format::count:
      return std::abs(value) < 1e15 ? count_text(std::llround(value)) : number_text(value);
    default:
      return number_text(value);
  }
}

}  // namespace

std::string RunFact::text() const {
  if (const auto* text = std::get_if<std::string>(&value)) return text->empty() ? "–" : *text;
  if (const auto* number = std::get_if<double>(&value)) return anneal::format(*number, format);
  if (const auto* count = std::get_if<int64_t>(&value))
    return format == Format::bytes ? format_bytes(static_cast<double>(*count)) : count_text(*count);
  return "–";
}

std::vector<RunFact> quality_facts(const RunRecord& run, const RunSummary& s) {
  const auto count = [](size_t n) { return Value(static_cast<int64_t>(n)); };
  return {
      {"validation_loss", "validation loss, last", Format::loss,
       member_of(s.final_eval, &EvalEvent::loss)},
      {"best_validation_loss", "validation loss, best", Format::loss,
       member_of(s.best_eval, &EvalEvent::loss)},
      {"best_validation_step", "… at step", Format::count,
       member_of(s.best_eval, &EvalEvent::step)},
      {"perplexity", "perplexity", Format::number, member_of(s.final_eval, &EvalEvent::perplexity)},
      {"accuracy", "accuracy", Format::share, member_of(s.final_eval, &EvalEvent::accuracy)},
      {"bits_per_byte", "bits per byte", Format::loss, bits_of(s.final_eval)},
      {"train_loss", "training loss, last", Format::loss, value_of(s.final_train_loss)},
      {"best_train_loss", "training loss, best", Format::loss, value_of(s.best_train_loss)},
      {"train_accuracy", "training accuracy, last", Format::share,
       value_of(s.final_train_accuracy)},
      {"last_fifth_change", "loss over the last fifth", Format::change,
       value_of(s.last_fifth_change)},
      {"steps", "steps", Format::count, s.steps},
      {"tokens", "tokens", Format::count, value_of(s.tokens)},
      {"training_seconds", "time in steps", Format::seconds, s.training_seconds},
      {"wall_seconds", "wall time", Format::seconds, value_of(s.wall_seconds)},
      {"other_share", "… evaluating, sampling, saving", Format::share, value_of(s.other_share)},
      {"step_seconds", "time of a step, median", Format::seconds,
       member_of(s.step_seconds, &Quartiles::median)},
      {"step_seconds_low", "… lower quartile", Format::seconds,
       member_of(s.step_seconds, &Quartiles::low)},
      {"step_seconds_high", "… upper quartile", Format::seconds,
       member_of(s.step_seconds, &Quartiles::high)},
      {"tokens_per_second", "tokens a second, median", Format::count,
       member_of(s.tokens_per_second, &Quartiles::median)},
      {"throughput_change", "… last quarter against first", Format::change,
       value_of(s.throughput_change)},
      {"data_wait_share", "waiting for data", Format::share, value_of(s.data_wait_share)},
      {"mfu", "of the measured matrix rate, median", Format::share, value_of(s.mfu)},
      {"cpu_percent", "processor time, median (100: a core)", Format::number,
       value_of(s.cpu_percent)},
      {"clipped_share", "steps clipped, second half", Format::share, value_of(s.clipped_share)},
      {"planned_bytes", "memory planned", Format::bytes, value_of(s.planned_bytes)},
      {"baseline_bytes", "memory before compiling", Format::bytes, value_of(s.baseline_bytes)},
      {"peak_anon_bytes", "peak memory, anonymous", Format::bytes, value_of(s.peak_anon_bytes)},
      {"memory_deviation", "… against baseline and plan", Format::change,
       value_of(s.memory_deviation)},
      {"peak_rss_bytes", "peak memory, resident", Format::bytes, value_of(s.peak_rss_bytes)},
      {"checkpoints", "checkpoints", Format::count, count(s.checkpoints)},
      {"checkpoint_bytes", "… size of the last", Format::bytes, value_of(s.checkpoint_bytes)},
      {"stall_seconds", "… training stood still", Format::seconds, s.stall_seconds},
      {"status", "end", Format::text, s.status},
      {"alerts", "alerts", Format::count, count(run.alerts.size())},
  };
}

std::vector<RunFact> machine_facts(const RunRecord& run, const RunSummary& s) {
  const std::optional<StartEvent> start =
      run.starts.empty() ? std::nullopt : std::optional(run.starts.back());
  const auto text = [&](std::string StartEvent::*member) {
    return start ? Value((*start).*member) : Value();
  };
  return {
      {"folder", "folder", Format::text, run.source.folder},
      {"host", "host", Format::text, text(&StartEvent::host)},
      {"device", "device", Format::text, text(&StartEvent::device)},
      {"instruction_set", "instruction set", Format::text, text(&StartEvent::instruction_set)},
      {"threads", "threads", Format::count, member_of(start, &StartEvent::threads)},
      {"ranks", "ranks", Format::count, member_of(start, &StartEvent::ranks)},
      {"parameters", "parameters", Format::count, member_of(start, &StartEvent::parameters)},
      {"tokens_per_step", "tokens a step", Format::count, value_of(s.tokens_per_step)},
      {"processes", "processes (resumed where more than 1)", Format::count,
       static_cast<int64_t>(run.starts.size())},
      {"logged_steps", "steps logged", Format::count, static_cast<int64_t>(s.logged_steps)},
      {"config_hash", "hash of the config", Format::text, text(&StartEvent::config_hash)},
  };
}

}  // namespace anneal
