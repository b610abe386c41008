#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace anneal {

// Throws UsageError: the text is not TOML, as the parser describes it. Names the key on that line
// as far as one can tell without a parser, and for a key defined twice where it was first.
[[noreturn]] void refuse_syntax(std::string_view text, const std::string& file, size_t line,
                                std::string_view description);

// Refuses text with thousands of dots outside strings and comments: each may nest a table in
// another, and the parser handles nested tables by recursion.
void check_nesting(std::string_view text, const std::string& file);

// Without blanks at both ends.
std::string trimmed(std::string_view text);

}  // namespace anneal
