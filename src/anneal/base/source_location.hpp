#pragma once

#include <ostream>
#include <string_view>

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
};

// anneal/ROOM/FILE:LINE, wherever the sources lie.
inline std::ostream& operator<<(std::ostream& out, const SourceLocation& where) {
  std::string_view file = where.file;
  if (size_t at = file.rfind("anneal/"); at != std::string_view::npos) file.remove_prefix(at);
  return out << file << ':' << where.line;
}

}  // namespace anneal
