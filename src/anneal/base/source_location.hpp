#pragma once

namespace anneal {

// Where in our sources a call stands: std::source_location, which clang 14 doesn't have.
struct SourceLocation {
  const char* file = "";
  int line = 0;

  // As a default argument it gives the place of the call.
  static constexpr SourceLocation current(const char* file = __builtin_FILE(),
                                          int line = __builtin_LINE()) {
    return {file, line};
  }
  const char* file_name() const { return file; }
};

}  // namespace anneal
