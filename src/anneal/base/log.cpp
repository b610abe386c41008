#include "anneal/base/log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <atomic>
#include <memory>
#include <mutex>

namespace anneal {
namespace {

std::atomic<int> warnings{0};
std::mutex hook_mutex;
void (*before_hook)() = nullptr;
void (*after_hook)() = nullptr;

spdlog::logger& console() {
  static auto logger = [] {
    auto result = std::make_shared<spdlog::logger>(
        "anneal", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    result->set_pattern("%^%v%$");
    return result;
  }();
  return *logger;
}

std::shared_ptr<spdlog::logger>& file_logger() {
  static std::shared_ptr<spdlog::logger> logger;
  return logger;
}

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

void log_message(LogLevel level, const std::string& message) {
  if (level >= LogLevel::warning) ++warnings;
  std::lock_guard lock(hook_mutex);
  if (before_hook) before_hook();
  const char* prefix = level == LogLevel::error     ? "error: "
                       : level == LogLevel::warning ? "warning: "
                                                    : "";
  console().log(level_of(level), "{}{}", prefix, message);
  if (auto& file = file_logger()) file->log(level_of(level), "{}", message);
  if (after_hook) after_hook();
}

void set_log_level(LogLevel level) { console().set_level(level_of(level)); }

void open_log_file(const std::string& path) {
  try {
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path, false);
    auto logger = std::make_shared<spdlog::logger>("file", sink);
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
    logger->flush_on(spdlog::level::info);
    logger->set_error_handler([](const std::string&) {});
    std::lock_guard lock(hook_mutex);
    file_logger() = logger;
  } catch (const spdlog::spdlog_ex& e) {
    log_warning(std::string("cannot write the log file: ") + e.what());
  }
}

void close_log_file() {
  std::lock_guard lock(hook_mutex);
  file_logger().reset();
}

void set_log_hooks(void (*before)(), void (*after)()) {
  std::lock_guard lock(hook_mutex);
  before_hook = before;
  after_hook = after;
}

int logged_warnings() { return warnings; }

}  // namespace anneal
