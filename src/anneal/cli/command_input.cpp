#include "anneal/cli/command_input.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "anneal/base/error.hpp"

namespace anneal {

void for_each_input(const std::vector<std::string>& files,
                    const std::function<void(std::istream&, const std::string&)>& visit) {
  if (files.empty()) visit(std::cin, "stdin");
  for (const auto& file : files) {
    std::error_code ignored;
    if (std::filesystem::is_directory(file, ignored))
      throw UsageError(str("[", file, "] is a directory (name the files in it)"));
    std::ifstream in(file, std::ios::binary);
    if (!in)
      throw UsageError(
          str("[", file, "] cannot open: ", std::strerror(errno), " (check the path)"));
    visit(in, file);
  }
}

void for_each_block(std::istream& in, const std::string& name,
                    const std::function<size_t(std::string_view)>& last_cut,
                    const std::function<void(std::string_view)>& visit) {
  constexpr size_t block = size_t{1} << 20;
  std::string text;
  while (in) {
    // A text without a place to cut is looked at again only when it has doubled.
    size_t kept = text.size();
    text.resize(kept + std::max(block, kept));
    in.read(text.data() + kept, static_cast<std::streamsize>(text.size() - kept));
    text.resize(kept + static_cast<size_t>(in.gcount()));
    size_t cut = in ? last_cut(text) : text.size();
    if (cut > 0) visit(std::string_view(text).substr(0, cut));
    text.erase(0, cut);
  }
  if (in.bad()) throw Error(str("[", name, "] cannot read"));
}

Tokenizer open_tokenizer(const std::string& name, const std::string& option) {
  if (name == "byte") return Tokenizer::bytes();
  std::error_code ignored;
  if (!std::filesystem::exists(name, ignored))
    throw UsageError(str("[", option, "] there is no ", name,
                         " (give \"byte\", a tokenizer.json, or a directory with one)"));
  try {
    return Tokenizer::load(name);
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
}

void check_output_file(const std::filesystem::path& out, std::string_view option) {
  auto folder = out.has_parent_path() ? out.parent_path() : std::filesystem::path(".");
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error) || ::access(folder.c_str(), W_OK) != 0 ||
      std::filesystem::is_directory(out, error))
    throw UsageError(
        str("[", out.string(), "] cannot be written (name another file with ", option, ")"));
}

}  // namespace anneal
