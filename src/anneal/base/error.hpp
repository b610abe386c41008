#pragma once

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "anneal/base/source_location.hpp"

namespace anneal {

// Exit codes of the program; an Error carries the one it stands for.
enum class ExitCode : int { ok = 0, failure = 1, usage = 2, diverged = 3, interrupted = 4 };

// What the user or the environment did wrong. The message reads
// "[where] what (fix)": where is a key, file:line or scope; the fix is what to do about it.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ExitCode code = ExitCode::failure)
      : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

// A mistake in a config, a command line or an input file that the user named: exit code 2.
class UsageError : public Error {
 public:
  explicit UsageError(const std::string& message) : Error(message, ExitCode::usage) {}
};

// A file or stream that is not what its format says (truncated, oversized, hostile): exit code 2
// like any other input that the user named, unless it went bad under a running program.
class FormatError : public Error {
 public:
  explicit FormatError(const std::string& message, ExitCode code = ExitCode::usage)
      : Error(message, code) {}
};

// Training met a value that is not finite: exit code 3.
class DivergedError : public Error {
 public:
  explicit DivergedError(const std::string& message) : Error(message, ExitCode::diverged) {}
};

// What we did wrong: a broken invariant of the library.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

// Joins its arguments with operator<<.
template <class... Args>
std::string str(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return out.str();
}

[[noreturn]] void internal_failure(std::string_view condition, const std::string& detail,
                                   SourceLocation where);

// The nearest of `candidates` to `word` by edit distance, or "" if none is near (a typo).
std::string nearest_word(std::string_view word, const std::string* candidates, size_t count);

}  // namespace anneal

// Checks an invariant of ours; throws InternalError with the condition, the detail and the place.
#define ANNEAL_ASSERT(condition, ...)                                                      \
  do {                                                                                     \
    if (!(condition))                                                                      \
      ::anneal::internal_failure(#condition, ::anneal::str("" __VA_OPT__(, ) __VA_ARGS__), \
                                 ::anneal::SourceLocation::current());                     \
  } while (false)
