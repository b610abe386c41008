#include "anneal/monitor/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <ctime>

#include "anneal/base/log.hpp"

namespace anneal {
namespace {

constexpr double redraw_seconds = 0.1;
constexpr double line_seconds = 1.0;
constexpr double rate_smoothing = 0.1;  // weight of the newest step

std::atomic<Progress*> active{nullptr};

double system_clock() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

bool can_move_cursor(int fd) {
  const char* term = std::getenv("TERM");
  return isatty(fd) && term && std::string_view(term) != "dumb";
}

int terminal_width(int fd) {
  winsize size{};
  return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

Progress::Progress(const ProgressOptions& options) : options_(options) {
  bar_ = options.mode == ProgressOptions::Mode::bar ||
         (options.mode == ProgressOptions::Mode::automatic && can_move_cursor(options.fd));
  if (bar_) {
    active = this;
    set_log_hooks(before_log, after_log);
  }
}

Progress::~Progress() { finish(); }

void Progress::update(const StepEvent& event) {
  std::lock_guard lock(mutex_);
  if (finished_) return;
  const double now = options_.clock ? options_.clock() : system_clock();
  if (first_step_ < 0) {
    first_step_ = event.step;
    first_time_ = now;
    output_time_ = now - line_seconds;
    tokens_per_second_ = event.tokens_per_second;
  }
  tokens_per_second_ += rate_smoothing * (event.tokens_per_second - tokens_per_second_);
  last_ = event;
  last_time_ = now;
  const bool due = now - output_time_ >= (bar_ ? redraw_seconds : line_seconds);
  const bool wanted = bar_ || (options_.log_every > 0 && event.step % options_.log_every == 0);
  if (!(due && wanted) && event.step < options_.total_steps) return;
  bar_ ? draw() : print_line();
  output_time_ = now;
}

ProgressState Progress::state() const {
  ProgressState state{last_.step, options_.total_steps, last_.loss, tokens_per_second_};
  // The first step, slower than the others, only starts the clock.
  if (int64_t done = last_.step - first_step_; done > 0) {
    int64_t left = std::max<int64_t>(0, options_.total_steps - last_.step);
    state.seconds_left =
        (last_time_ - first_time_) / static_cast<double>(done) * static_cast<double>(left);
  }
  return state;
}

void Progress::clear() {
  std::lock_guard lock(mutex_);
  erase();
}

void Progress::finish() {
  // The hooks go first, without our lock: a log message holds theirs while it waits for ours.
  Progress* expected = this;
  if (active.compare_exchange_strong(expected, nullptr)) set_log_hooks(nullptr, nullptr);
  std::lock_guard lock(mutex_);
  if (finished_) return;
  finished_ = true;
  if (!bar_ || first_step_ < 0) return;
  draw();
  write_out("\n");
}

void Progress::before_log() {
  if (Progress* p = active) {
    std::lock_guard lock(p->mutex_);
    p->hidden_ = p->drawn_;
    p->erase();
  }
}

void Progress::after_log() {
  if (Progress* p = active) {
    std::lock_guard lock(p->mutex_);
    if (p->hidden_) p->draw();
    p->hidden_ = false;
  }
}

void Progress::erase() {
  if (drawn_) write_out("\r\x1b[K");
  drawn_ = false;
}

void Progress::draw() {
  constexpr std::string_view begin = "\r", end = "\x1b[K";
  std::array<char, 512> text;
  const int width = options_.width > 0 ? options_.width : terminal_width(options_.fd);
  // One column stays free: some terminals wrap once the last one is written.
  std::span<char> room =
      std::span(text).subspan(begin.size(), text.size() - begin.size() - end.size());
  auto shown = format_progress(state(), width - 1, room);
  std::copy(begin.begin(), begin.end(), text.begin());
  auto at = std::copy(end.begin(), end.end(),
                      text.begin() + static_cast<long>(begin.size() + shown.size()));
  write_out({text.data(), static_cast<size_t>(at - text.begin())});
  drawn_ = true;
}

void Progress::print_line() {
  std::array<char, 256> text;
  auto shown = format_numbers(state(), std::span(text).first(text.size() - 1));
  text[shown.size()] = '\n';
  write_out({text.data(), shown.size() + 1});
}

void Progress::write_out(std::string_view text) {
  while (!text.empty()) {
    ssize_t n = ::write(options_.fd, text.data(), text.size());
    if (n <= 0) return;
    text.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace anneal
