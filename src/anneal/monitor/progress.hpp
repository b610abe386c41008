#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <string_view>

#include "anneal/monitor/metrics.hpp"

namespace anneal {

// What is shown.
struct ProgressState {
  int64_t step = 0;
  int64_t total = 0;
  double loss = 0;
  double tokens_per_second = 0;
  double seconds_left = -1;  // negative: not known yet
};

struct ProgressOptions {
  int64_t total_steps = 0;
  int64_t log_every = 1;  // plain lines: one for so many steps
  int fd = 2;
  enum class Mode { automatic, bar, lines };
  Mode mode = Mode::automatic;  // a bar if `fd` is a terminal that can move its cursor
  int width = 0;                // columns; 0: the terminal's, asked again at every redraw
  double (*clock)() = nullptr;  // seconds, monotonic; null: the system's
};

// Shows how training goes on stderr: step, loss, tokens/s and the estimated time left. On a
// terminal: one line with a bar that is redrawn at most ten times a second and steps aside for log
// messages. Elsewhere: plain lines, at most one a second. The last step is always shown. One
// instance at a time has the log hooks. Nothing allocates; an `fd` that cannot be written to is
// ignored.
class Progress {
 public:
  explicit Progress(const ProgressOptions& options);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(const StepEvent& event);
  // Removes the bar to make room for text that others write to the terminal (sample text); the next
  // update draws it again.
  void clear();
  // Leaves the last state on the screen and gives the log hooks back.
  void finish();

 private:
  static void before_log();
  static void after_log();
  ProgressState state() const;
  void draw();
  void erase();
  void print_line();
  void write_out(std::string_view text);

  ProgressOptions options_;
  bool bar_ = false;
  std::mutex mutex_;
  bool drawn_ = false;   // the bar is on the screen
  bool hidden_ = false;  // it was before a log message and comes back after it
  bool finished_ = false;
  StepEvent last_{};
  double tokens_per_second_ = 0;  // smoothed over steps
  int64_t first_step_ = -1;       // of the first update, which came at first_time_
  double first_time_ = 0;
  double last_time_ = 0;    // of the last update
  double output_time_ = 0;  // of the last output
};

// The bar's line in at most `width` columns of ASCII: the bar takes what the numbers leave and goes
// first where there is no room, then the numbers are cut from the right.
std::string_view format_progress(const ProgressState& state, int width, std::span<char> buffer);

// "step 120/2000  loss 3.2141  12.4k tokens/s  1:23 left"
std::string_view format_numbers(const ProgressState& state, std::span<char> buffer);

// "0:07", "12:34", "3:05:59", "4d 02h"
std::string_view format_duration(double seconds, std::span<char> buffer);

// "873", "1.24k", "35.1M"
std::string_view format_rate(double value, std::span<char> buffer);

}  // namespace anneal
