#include "anneal/monitor/trace_file.hpp"

#include <unistd.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>

#include "anneal/base/error.hpp"
#include "anneal/monitor/metrics_fields.hpp"

namespace anneal {
namespace {

constexpr size_t buffer_bytes = 1 << 18;
constexpr int process_id = 1;

std::filesystem::path temporary_beside(std::filesystem::path path) {
  path += str(".", getpid(), ".tmp");
  return path;
}

// Both ends of a span are rounded, not its length, so that spans nest in the file if they nest.
int64_t nanoseconds(double microseconds) {
  ANNEAL_ASSERT(std::abs(microseconds) < 9e15, "a trace's time is ", microseconds, " µs");
  return std::llround(microseconds * 1000);
}

void append_integer(std::string& out, int64_t value) {
  std::array<char, 24> digits;
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

// Microseconds with three decimals.
void append_time(std::string& out, int64_t ns) {
  if (ns < 0) out += '-';
  const int64_t size = std::abs(ns), fraction = size % 1000;
  append_integer(out, size / 1000);
  const char digits[] = {'.', static_cast<char>('0' + fraction / 100),
                         static_cast<char>('0' + fraction / 10 % 10),
                         static_cast<char>('0' + fraction % 10)};
  out.append(digits, sizeof digits);
}

void append_text(std::string& out, std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return c >= ' ' && c < '\x7F' && c != '"' && c != '\\';
  });
  if (!plain) {
    out += quote_json(std::string(text));
    return;
  }
  out += '"';
  out += text;
  out += '"';
}

// JSON has no word for what is not finite.
void append_number(std::string& out, double value) {
  std::array<char, 32> digits;
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  if (!std::isfinite(value)) out += '"';
  out.append(digits.data(), end);
  if (!std::isfinite(value)) out += '"';
}

// Writes members of an object and the commas between them.
class Members {
 public:
  explicit Members(std::string& out) : out_(out) {}
  std::string& key(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    append_text(out_, name);
    return out_ += ':';
  }

 private:
  std::string& out_;
  bool first_ = true;
};

void append_process(std::string& out) {
  out += ",\"pid\":";
  append_integer(out, process_id);
}

void append_lane(std::string& out, int lane) {
  append_process(out);
  out += ",\"tid\":";
  append_integer(out, lane + 1);
}

void append_metadata(std::string& out, std::string_view name, int lane, std::string_view key,
                     std::string_view value) {
  out += "{\"ph\":\"M\",\"name\":";
  append_text(out, name);
  append_lane(out, lane);
  out += ",\"args\":{";
  Members(out).key(key) += value;
  out += "}}";
}

}  // namespace

TraceWriter::TraceWriter(const std::filesystem::path& path, const TraceHeader& header)
    : path_(path),
      temporary_(temporary_beside(path)),
      file_(temporary_),
      last_begin_ns_(header.lanes.size(), std::numeric_limits<int64_t>::min()) {
  buffer_ = "{\"displayTimeUnit\":\"ms\",\"otherData\":{";
  Members about(buffer_);
  for (const auto& [name, value] : header.about) append_text(about.key(name), value);
  buffer_ += "},\"traceEvents\":[";
  const auto metadata = [&](std::string_view name, int lane, std::string_view key,
                            std::string_view value) {
    begin_event();
    append_metadata(buffer_, name, lane, key, value);
  };
  metadata("process_name", 0, "name", quote_json(header.process));
  for (size_t i = 0; i < header.lanes.size(); ++i) {
    const int lane = static_cast<int>(i);
    metadata("thread_name", lane, "name", quote_json(header.lanes[i]));
    metadata("thread_sort_index", lane, "sort_index", std::to_string(lane));
  }
}

TraceWriter::~TraceWriter() {
  std::error_code ignored;
  if (!finished_) std::filesystem::remove(temporary_, ignored);
}

void TraceWriter::begin_event() {
  if (buffer_.size() >= buffer_bytes) flush();
  buffer_ += first_ ? "\n" : ",\n";
  first_ = false;
}

void TraceWriter::flush() {
  file_.write(buffer_);
  buffer_.clear();
}

void TraceWriter::span(const TraceSpan& span) {
  ANNEAL_ASSERT(span.lane >= 0 && static_cast<size_t>(span.lane) < last_begin_ns_.size(), span.name,
                " is on lane ", span.lane, " of ", last_begin_ns_.size());
  const int64_t begin = nanoseconds(span.begin_us);
  const int64_t duration = nanoseconds(span.begin_us + span.duration_us) - begin;
  int64_t& last = last_begin_ns_[static_cast<size_t>(span.lane)];
  ANNEAL_ASSERT(begin >= last && duration >= 0, span.name, " begins at ", begin, " ns after ", last,
                " ns and lasts ", duration, " ns");
  last = begin;

  begin_event();
  buffer_ += "{\"ph\":\"X\",\"name\":";
  append_text(buffer_, span.name);
  if (!span.category.empty()) {
    buffer_ += ",\"cat\":";
    append_text(buffer_, span.category);
  }
  append_lane(buffer_, span.lane);
  buffer_ += ",\"ts\":";
  append_time(buffer_, begin);
  buffer_ += ",\"dur\":";
  append_time(buffer_, duration);
  if (!span.args.empty() || !span.numbers.empty()) {
    buffer_ += ",\"args\":{";
    Members members(buffer_);
    for (const auto& [name, value] : span.args) append_text(members.key(name), value);
    for (const auto& [name, value] : span.numbers) append_number(members.key(name), value);
    buffer_ += '}';
  }
  buffer_ += '}';
}

void TraceWriter::counter(const TraceCounter& counter) {
  const auto finite = [](const auto& series) { return std::isfinite(series.second); };
  if (std::none_of(counter.series.begin(), counter.series.end(), finite)) return;
  begin_event();
  buffer_ += "{\"ph\":\"C\",\"name\":";
  append_text(buffer_, counter.name);
  append_process(buffer_);
  buffer_ += ",\"ts\":";
  append_time(buffer_, nanoseconds(counter.at_us));
  buffer_ += ",\"args\":{";
  Members members(buffer_);
  for (const auto& series : counter.series)
    if (finite(series)) append_number(members.key(series.first), series.second);
  buffer_ += "}}";
}

void TraceWriter::finish() {
  ANNEAL_ASSERT(!finished_, "a trace is finished once");
  buffer_ += "\n]}\n";
  flush();
  file_.sync();
  std::error_code failure;
  std::filesystem::rename(temporary_, path_, failure);
  if (failure)
    throw Error(str("[", path_.string(), "] cannot replace: ", failure.message(),
                    " (check the permissions of the folder)"));
  finished_ = true;
  sync_path(path_.has_parent_path() ? path_.parent_path() : ".");
}

}  // namespace anneal
