#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "anneal/base/file.hpp"

namespace anneal {

// A piece of work on one lane. Times are microseconds since any common origin; the file keeps
// nanoseconds.
struct TraceSpan {
  std::string name;
  std::string category;  // "": none
  int lane = 0;          // index into TraceHeader::lanes
  double begin_us = 0;
  double duration_us = 0;
  std::vector<std::pair<std::string, std::string>> args;
  std::vector<std::pair<std::string, double>> numbers;  // shown below `args`
};

// The values of a track of counters from `at_us` on; several series are stacked.
struct TraceCounter {
  std::string name;
  double at_us = 0;
  std::vector<std::pair<std::string, double>> series;
};

struct TraceHeader {
  std::string process = "anneal";
  std::vector<std::string> lanes;                          // from top to bottom
  std::vector<std::pair<std::string, std::string>> about;  // facts on the whole file ("otherData")
};

// Writes a timeline in the Trace Event Format, which Perfetto and chrome://tracing read. Events go
// to the file as they come, so memory does not grow with the number of spans. The file appears
// under its name when finish() returns; without finish() nothing is left. File errors throw Error.
class TraceWriter {
 public:
  TraceWriter(const std::filesystem::path& path, const TraceHeader& header);
  ~TraceWriter();
  TraceWriter(const TraceWriter&) = delete;
  TraceWriter& operator=(const TraceWriter&) = delete;

  // Spans of a lane come in the order of their begin, an enclosing span before those within it,
  // which viewers draw below it; spans of a lane enclose one another or are disjoint. A span that
  // begins before its predecessor on the lane, lasts less than 0 or is on no lane of the header is
  // an InternalError.
  void span(const TraceSpan& span);
  // Values that are not finite are left out.
  void counter(const TraceCounter& counter);
  void finish();

 private:
  void begin_event();
  void flush();

  std::filesystem::path path_, temporary_;
  FileWriter file_;
  std::string buffer_;
  bool first_ = true, finished_ = false;
  std::vector<int64_t> last_begin_ns_;  // of each lane
};

}  // namespace anneal
