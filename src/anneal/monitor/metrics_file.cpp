#include <unistd.h>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/monitor/metrics_fields.hpp"

namespace anneal {
namespace {

// Calls f(line, complete) for each line; complete is false for a last one without its line feed.
template <class F>
void for_lines(std::string_view text, F&& f) {
  while (!text.empty()) {
    size_t end = text.find('\n');
    bool complete = end != std::string_view::npos;
    f(text.substr(0, end), complete);
    text.remove_prefix(complete ? end + 1 : text.size());
  }
}

}  // namespace

std::vector<MetricsEvent> read_metrics(const std::filesystem::path& path) {
  MappedFile file(path);
  std::vector<MetricsEvent> events;
  for_lines(file.text(), [&](std::string_view line, bool) {
    if (auto event = parse_metrics_line(line)) events.push_back(std::move(*event));
  });
  return events;
}

int64_t cut_metrics(const std::filesystem::path& path, int64_t step) {
  if (!std::filesystem::exists(path)) return 0;
  MappedFile file(path);
  auto keeps = [&](std::string_view line, bool complete) {
    auto line_step = complete ? step_of_line(line) : std::nullopt;
    return line_step && *line_step <= step;
  };
  int64_t removed = 0;
  for_lines(file.text(), [&](auto line, bool complete) { removed += !keeps(line, complete); });
  if (removed == 0) return 0;

  std::filesystem::path temporary = path;
  temporary += str(".", getpid(), ".tmp");
  try {
    FileWriter writer(temporary);
    for_lines(file.text(), [&](std::string_view line, bool complete) {
      if (keeps(line, complete)) writer.write({line.data(), line.size() + 1});
    });
    writer.sync();
    std::filesystem::rename(temporary, path);
  } catch (const std::filesystem::filesystem_error& e) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw Error(str("[", path.string(), "] cannot remove the lines beyond step ", step, ": ",
                    e.code().message(), " (check the permissions of the folder)"));
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
  sync_path(path.has_parent_path() ? path.parent_path() : ".");
  return removed;
}

}  // namespace anneal
