#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/data/tokenizer.hpp"

namespace anneal {

// Opens each file in turn, or stdin if there are none, and calls visit(stream, name). Throws
// UsageError for a file that cannot be opened.
void for_each_input(const std::vector<std::string>& files,
                    const std::function<void(std::istream&, const std::string&)>& visit);

// Reads the stream in blocks and calls visit with parts that `last_cut` allows to be handled apart:
// it gives the largest offset at which a text may be cut, 0 if there is none. Throws Error if the
// stream cannot be read.
void for_each_block(std::istream& in, const std::string& name,
                    const std::function<size_t(std::string_view)>& last_cut,
                    const std::function<void(std::string_view)>& visit);

// The tokenizer that a command line names: "byte", a tokenizer.json, or a directory with one.
// Throws UsageError, naming the option, if there is none.
Tokenizer open_tokenizer(const std::string& name, const std::string& option);

// Throws UsageError naming the file and the option unless it can be written: its folder exists and
// lets us. Called before work whose result goes there.
void check_output_file(const std::filesystem::path& out, std::string_view option);

}  // namespace anneal
