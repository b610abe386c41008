#include "anneal/monitor/process_stats.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <string_view>

namespace anneal {
namespace {

double seconds_of(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

using Buffer = std::array<char, 4096>;

std::string_view read_all(int fd, Buffer& buffer) {
  size_t size = 0;
  while (fd >= 0 && size < buffer.size()) {
    ssize_t n = pread(fd, buffer.data() + size, buffer.size() - size, static_cast<off_t>(size));
    if (n <= 0) break;
    size += static_cast<size_t>(n);
  }
  return {buffer.data(), size};
}

// The number after "\nNAME:" and blanks; 0 if there is none.
int64_t field(std::string_view text, std::string_view name) {
  for (size_t at = 0; (at = text.find(name, at)) != std::string_view::npos; ++at) {
    size_t end = at + name.size();
    if ((at > 0 && text[at - 1] != '\n') || end >= text.size() || text[end] != ':') continue;
    size_t digit = text.find_first_not_of(" \t", end + 1);
    int64_t value = 0;
    if (digit != std::string_view::npos)
      std::from_chars(text.data() + digit, text.data() + text.size(), value);
    return value;
  }
  return 0;
}

}  // namespace

ProcessSampler::ProcessSampler()
    : status_fd_(open("/proc/self/status", O_RDONLY | O_CLOEXEC)),
      io_fd_(open("/proc/self/io", O_RDONLY | O_CLOEXEC)),
      last_cpu_seconds_(seconds_of(CLOCK_PROCESS_CPUTIME_ID)),
      last_wall_seconds_(seconds_of(CLOCK_MONOTONIC)) {}

ProcessSampler::~ProcessSampler() {
  if (status_fd_ >= 0) close(status_fd_);
  if (io_fd_ >= 0) close(io_fd_);
}

ProcessStats ProcessSampler::sample() {
  ProcessStats stats;
  Buffer buffer;
  std::string_view status = read_all(status_fd_, buffer);
  stats.anon_bytes = field(status, "RssAnon") * 1024;
  stats.rss_bytes = field(status, "VmRSS") * 1024;
  // The kernel's own peak comes from a cheaper counter and may lag behind VmRSS.
  peak_rss_bytes_ = std::max({peak_rss_bytes_, field(status, "VmHWM") * 1024, stats.rss_bytes});
  peak_anon_bytes_ = std::max(peak_anon_bytes_, stats.anon_bytes);
  stats.peak_rss_bytes = peak_rss_bytes_;
  stats.peak_anon_bytes = peak_anon_bytes_;
  stats.read_bytes = field(read_all(io_fd_, buffer), "read_bytes");

  double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID), wall = seconds_of(CLOCK_MONOTONIC);
  if (wall > last_wall_seconds_)
    stats.cpu_percent = 100 * (cpu - last_cpu_seconds_) / (wall - last_wall_seconds_);
  last_cpu_seconds_ = cpu;
  last_wall_seconds_ = wall;
  return stats;
}

}  // namespace anneal
