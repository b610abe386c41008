#pragma once

#include <sys/wait.h>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/base/file.hpp"

namespace anneal {

struct ProgramResult {
  int code = -1;  // exit code; 128 + signal if it was killed
  std::string out;
  std::string err;
};

// Runs the built program with these arguments (each one word to it) and this text on stdin.
inline ProgramResult run_program(const std::vector<std::string>& arguments,
                                 const std::string& input = "") {
  TemporaryDirectory dir;
  auto quoted = [](const std::string& text) {
    std::string word = "'";
    for (char c : text) word.append(c == '\'' ? "'\\''" : std::string_view(&c, 1));
    word.push_back('\'');
    return word;
  };
  auto file = [&](const char* name) { return (dir.path() / name).string(); };
  FileWriter(file("in")).write(input);
  std::string command = quoted(ANNEAL_PROGRAM);
  for (const auto& argument : arguments) command.append(" ").append(quoted(argument));
  command.append(" <").append(quoted(file("in")));
  command.append(" >").append(quoted(file("out")));
  command.append(" 2>").append(quoted(file("err")));
  int status = std::system(command.c_str());
  ProgramResult result;
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = read_file(file("out"));
  result.err = read_file(file("err"));
  return result;
}

}  // namespace anneal
