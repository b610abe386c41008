#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>

#include "anneal/monitor/metrics.hpp"

namespace anneal {

struct ProgressOptions {
  int64_t first_step = 0;  // updates done before this process began
  int64_t total_steps = 0;
  int64_t log_every = 1;  // plain lines: one for so many steps
  int fd = 2;
  enum class Mode { automatic, bar, lines };
  Mode mode = Mode::automatic;  // a bar if `fd` is a terminal that can move its cursor
  int width = 0;                // columns; 0: the terminal's, asked again at every redraw
  double (*clock)() = nullptr;  // seconds, monotonic; null: the system's
};

// Shows how training goes on stderr. On a terminal: one line with a bar that is redrawn at most ten
// times a second and steps aside for log messages. Elsewhere: plain lines, at most one a second.
// Step, loss, tokens/s and the estimated time left. One instance at a time has the log hooks.
// Nothing allocates; a terminal that cannot be written to is ignored.
class Progress {
 public:
  explicit Progress(const ProgressOptions& options);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(const StepEvent& event);
  // Removes the bar for text that others write to the terminal (sample text); the next update
  // draws it again.
  void clear();
  // Leaves the last state on the screen and gives the log hooks back.
  void finish();

 private:
  static void before_log();
  static void after_log();
  void erase();
  void draw();
  void line(double now);
  void write_out(std::string_view text);
  double now() const;
  double seconds_left(double now) const;

  ProgressOptions options_;
  bool bar_ = false;
  bool finished_ = false;
  std::mutex mutex_;
  bool drawn_ = false;
  StepEvent last_{};
  double tokens_per_second_ = 0;  // smoothed
  double begin_ = 0;              // when the first update came
  int64_t begin_step_ = -1;       // its step
  double last_output_ = 0;
};

// What the bar shows.
struct ProgressState {
  int64_t step = 0;
  int64_t total = 0;
  double loss = 0;
  double tokens_per_second = 0;
  double seconds_left = -1;  // negative: not known yet
};

// Writes the bar's line into `buffer` (`capacity` bytes), at most `width` columns of ASCII: the bar
// takes what the numbers leave and goes first where there is no room, then the numbers from the
// right. Returns the text.
std::string_view format_progress(const ProgressState& state, int width, char* buffer, int capacity);

// "0:07", "12:34", "3:05:59", "4d 02h" into `buffer` of at least 24 bytes.
std::string_view format_duration(double seconds, char* buffer);

// "873", "1.24k", "35.1M" into `buffer` of at least 16 bytes.
std::string_view format_rate(double value, char* buffer);

}  // namespace anneal
