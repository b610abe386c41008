#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace anneal {

// Whether a pattern holds one of * ? [ that is not escaped by a backslash.
bool has_wildcard(std::string_view pattern);

// The paths that `pattern` matches, sorted bytewise, each once. `*`, `?` and `[…]` match within one
// part of the path, `**` as a whole part any number of folders (symbolic links to folders are not
// followed there). Names that begin with a dot need a pattern that does.
std::vector<std::string> expand_glob(const std::string& pattern);

}  // namespace anneal
