#pragma once

#include <string>

namespace anneal {

// Logging: to stderr and, once opened, to a file as well. Only these functions reach the logging
// library, so its headers are parsed in one source file.
enum class LogLevel { debug, info, warning, error };

void log_message(LogLevel level, const std::string& message);
inline void log_debug(const std::string& m) { log_message(LogLevel::debug, m); }
inline void log_info(const std::string& m) { log_message(LogLevel::info, m); }
inline void log_warning(const std::string& m) { log_message(LogLevel::warning, m); }
inline void log_error(const std::string& m) { log_message(LogLevel::error, m); }

// Messages below this level are dropped (default: info).
void set_log_level(LogLevel level);

// Also appends every message, with a time stamp, to this file. A file that cannot be written is
// reported once on stderr and never stops the run.
void open_log_file(const std::string& path);
void close_log_file();

// Called before and after a message goes to stderr, for example to clear and redraw a progress bar.
void set_log_hooks(void (*before)(), void (*after)());

// Number of warnings and errors logged so far.
int logged_warnings();

}  // namespace anneal
