#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace anneal {

// metrics.jsonl: what happened in a run, one JSON object a line, each with its "event" first. The
// members below are the fields, with their names. A floating-point field has all digits of its
// FP64 (the shortest text that reads back as the same number). JSON has no NaN and no infinity:
// such a field is null and "not_finite" at the end of the line says which it was, for example
// {"event":"step",…,"loss":null,…,"not_finite":{"loss":"nan"}}. An absent optional is null.

// "start": a process begins or goes on with a run.
struct StartEvent {
  int64_t step = 0;  // updates done before: 0, or those of the checkpoint that was resumed
  std::string config_hash;
  std::string host;
  std::string device;
  std::string instruction_set;
  int64_t ranks = 1;
  int64_t threads = 1;
  int64_t parameters = 0;
  int64_t planned_bytes = 0;
  int64_t baseline_bytes = 0;
  bool operator==(const StartEvent&) const = default;
};

// "step": one update is done. Loss and gradient norm are those from before it.
struct StepEvent {
  int64_t step = 0;    // from 1
  int64_t tokens = 0;  // cumulative, of all ranks
  double loss = 0;     // natural logarithm, mean over valid tokens
  double accuracy = 0;
  double grad_norm = 0;  // before clipping
  double lr = 0;
  double step_seconds = 0;
  double data_wait_seconds = 0;
  double tokens_per_second = 0;
  std::optional<double> mfu;  // share of the device's peak; absent where that is unknown
  double cpu_percent = 0;     // 100: one core busy
  int64_t read_bytes = 0;     // from storage, cumulative
  int64_t rss_bytes = 0;
  std::optional<double> loss_scale;  // of this update; absent where the loss is not scaled
  int64_t skipped = 0;               // attempts whose gradients overflowed, since the last event
  bool operator==(const StepEvent&) const = default;
};

// "eval": evaluation on the validation data.
struct EvalEvent {
  int64_t step = 0;
  double loss = 0;
  double perplexity = 0;
  double accuracy = 0;
  std::optional<double> bits_per_byte;  // absent where the tokens' bytes are unknown
  bool operator==(const EvalEvent&) const = default;
};

// "checkpoint": one is complete on disk.
struct CheckpointEvent {
  int64_t step = 0;
  std::string path;
  int64_t bytes = 0;
  double stall_seconds = 0;  // for which training stood still
  double total_seconds = 0;  // from the start of saving to the rename
  bool operator==(const CheckpointEvent&) const = default;
};

// "alert": something looks wrong.
struct AlertEvent {
  int64_t step = 0;
  std::string kind;
  std::string message;
  bool operator==(const AlertEvent&) const = default;
};

// "end": the process leaves the run.
struct EndEvent {
  int64_t step = 0;
  std::string status;  // done | interrupted | diverged | failed
  int64_t peak_anon_bytes = 0;
  int64_t peak_rss_bytes = 0;
  double wall_seconds = 0;
  bool operator==(const EndEvent&) const = default;
};

using MetricsEvent =
    std::variant<StartEvent, StepEvent, EvalEvent, CheckpointEvent, AlertEvent, EndEvent>;

// Appends events to a metrics file, each with one write of its whole line, so that a killed process
// loses at most a torn last line. Any thread may write. Writing a StepEvent allocates nothing.
//
// No failure of the file ever throws or stops the run: the first one is logged as a warning, the
// line is counted as lost, and the next line is tried again.
class MetricsWriter {
 public:
  explicit MetricsWriter(std::filesystem::path path);
  ~MetricsWriter();
  MetricsWriter(const MetricsWriter&) = delete;
  MetricsWriter& operator=(const MetricsWriter&) = delete;

  void write(const StartEvent& event);
  void write(const StepEvent& event);
  void write(const EvalEvent& event);
  void write(const CheckpointEvent& event);
  void write(const AlertEvent& event);
  void write(const EndEvent& event);

  // Makes what was written survive a loss of power.
  void sync();
  int64_t lost_lines() const;

 private:
  template <class Event>
  void write_event(const Event& event);
  void write_line();
  void report(const char* what, int error);

  std::filesystem::path path_;
  mutable std::mutex mutex_;
  std::string line_;  // keeps its capacity from line to line
  int fd_ = -1;
  bool torn_ = false;  // the file ends in a part of a line
  bool reported_ = false;
  int64_t lost_lines_ = 0;
};

// The line of one event, without the line feed.
std::string to_json(const MetricsEvent& event);

// The event of one line; nothing if the line is not complete, valid JSON or its event is unknown.
// Fields that are missing keep their defaults, unknown ones are skipped; a floating-point field
// that is null without a word in "not_finite" is not a number.
std::optional<MetricsEvent> parse_metrics_line(std::string_view line);

// All events of a metrics file in the file's order; lines that parse_metrics_line refuses are
// skipped. Throws Error if the file cannot be read.
std::vector<MetricsEvent> read_metrics(const std::filesystem::path& path);

// Prepares a metrics file for a run that goes on after `step` updates: removes, atomically, every
// line with a larger step and every line that is not valid JSON (a torn last one, for example).
// Returns the number of lines removed. A missing file is fine. Throws Error if the file cannot be
// read or written.
int64_t cut_metrics(const std::filesystem::path& path, int64_t step);

}  // namespace anneal
