#pragma once

#include <cstdint>

namespace anneal {

// What the operating system says about this process (Linux; elsewhere zeros).
struct ProcessStats {
  int64_t anon_bytes = 0;       // RssAnon: anonymous resident memory, now
  int64_t peak_anon_bytes = 0;  // the largest RssAnon that any call has seen
  int64_t rss_bytes = 0;        // VmRSS: all resident memory, now
  int64_t peak_rss_bytes = 0;   // the largest VmRSS ever, as the kernel (VmHWM) and all calls saw
  double cpu_percent = 0;       // processor time since the last call; 100: one core busy
  int64_t read_bytes = 0;       // read from storage so far; 0 where the system does not tell
};

// Samples the process's own statistics. Files are opened once and read into a buffer on the stack:
// sample() allocates nothing and takes some tens of microseconds, so it can run in every step. The
// peak of RssAnon is as good as the moments at which the caller samples.
class ProcessSampler {
 public:
  ProcessSampler();
  ~ProcessSampler();
  ProcessSampler(const ProcessSampler&) = delete;
  ProcessSampler& operator=(const ProcessSampler&) = delete;

  ProcessStats sample();

 private:
  int status_fd_ = -1;
  int io_fd_ = -1;
  int64_t peak_anon_bytes_ = 0;
  int64_t peak_rss_bytes_ = 0;
  double last_cpu_seconds_ = 0;
  double last_wall_seconds_ = 0;
};

}  // namespace anneal
