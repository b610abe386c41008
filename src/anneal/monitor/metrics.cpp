#include "anneal/monitor/metrics.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

#include "anneal/base/error.hpp"
#include "anneal/base/log.hpp"
#include "anneal/monitor/metrics_fields.hpp"

namespace anneal {
namespace {

// Whether the file ends in something else than a line feed.
bool ends_torn(int fd) {
  struct stat info {};
  char last = '\n';
  if (fstat(fd, &info) != 0 || info.st_size == 0) return false;
  return pread(fd, &last, 1, info.st_size - 1) == 1 && last != '\n';
}

}  // namespace

MetricsWriter::MetricsWriter(std::filesystem::path path) : path_(std::move(path)) {
  line_.reserve(4096);
  fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd_ < 0)
    report("cannot open", errno);
  else
    torn_ = ends_torn(fd_);
}

MetricsWriter::~MetricsWriter() {
  if (fd_ >= 0) close(fd_);
}

void MetricsWriter::sync() {
  std::lock_guard lock(mutex_);
  // Pipes and the like cannot be synced (EINVAL), and need not be.
  if (fd_ >= 0 && ::fdatasync(fd_) != 0 && errno != EINTR && errno != EINVAL && errno != EROFS)
    report("cannot sync", errno);
}

int64_t MetricsWriter::lost_lines() const {
  std::lock_guard lock(mutex_);
  return lost_lines_;
}

void MetricsWriter::report(const char* what, int error) {
  if (reported_) return;
  reported_ = true;
  log_warning(str("[monitor] ", what, " ", path_.string(), ": ", std::strerror(error),
                  "; training goes on without these metrics (free space or fix the folder)"));
}

template <class Event>
void MetricsWriter::write_event(const Event& event) {
  std::lock_guard lock(mutex_);
  line_.clear();
  if (torn_) line_ += '\n';
  append_json(line_, event);
  line_ += '\n';
  write_line();
}

void MetricsWriter::write_line() {
  if (fd_ < 0) {
    ++lost_lines_;
    return;
  }
  ssize_t written;
  do written = ::write(fd_, line_.data(), line_.size());
  while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(line_.size())) {
    torn_ = false;
    return;
  }
  int error = written < 0 ? errno : ENOSPC;
  if (written > 0) torn_ = true;
  ++lost_lines_;
  report("cannot write", error);
}

void MetricsWriter::write(const StartEvent& event) { write_event(event); }
void MetricsWriter::write(const StepEvent& event) { write_event(event); }
void MetricsWriter::write(const EvalEvent& event) { write_event(event); }
void MetricsWriter::write(const CheckpointEvent& event) { write_event(event); }
void MetricsWriter::write(const AlertEvent& event) { write_event(event); }
void MetricsWriter::write(const EndEvent& event) { write_event(event); }

}  // namespace anneal
