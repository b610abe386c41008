#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/base/error.hpp"

namespace CLI {
class App;
}

namespace anneal {

// Declares what a command takes on its command line. Each call binds a variable, which must outlive
// the parsing and whose value at the time of the call is the default.
class Arguments {
 public:
  explicit Arguments(CLI::App& app) : app_(app) {}

  // A required argument without a name, such as CONFIG. The list takes one or more, or, when
  // optional, any number.
  void positional(const std::string& name, std::string& value, const std::string& doc);
  void positional(const std::string& name, std::vector<std::string>& values, const std::string& doc,
                  bool optional = false);

  // A named option "--name VALUE". The list form may be given several times.
  void option(const std::string& name, const std::string& value_name, std::string& value,
              const std::string& doc, bool required = false);
  void option(const std::string& name, const std::string& value_name, int64_t& value,
              const std::string& doc, bool required = false);
  void option(const std::string& name, const std::string& value_name, double& value,
              const std::string& doc, bool required = false);
  void option(const std::string& name, const std::string& value_name,
              std::vector<std::string>& values, const std::string& doc, bool required = false);

  // "--name": true if given.
  void flag(const std::string& name, bool& value, const std::string& doc);

 private:
  CLI::App& app_;
};

// A command of the program: one function in a file command_NAME.cpp, and one line in
// command_list.cpp. `setup` declares the arguments and returns what the command does; that runs
// once the command line is parsed, prints its result to stdout and everything else to the log, and
// throws Error for a failure.
struct Command {
  std::string name;     // "train"; "data prepare" for a command of a group
  std::string summary;  // one line
  std::string example;  // shown by --help, without the leading "anneal"
  std::function<std::function<ExitCode()>(Arguments&)> setup;
  bool hidden = false;  // not listed by --help
};

// A word that commands of several words begin with.
struct CommandGroup {
  std::string name;
  std::string summary;
};

std::vector<CommandGroup> all_command_groups();
std::vector<Command> all_commands();

// Parses the command line and runs the command; help and version go to stdout. Throws UsageError
// for a command line that it does not understand, and what the command throws.
ExitCode run_command_line(int argc, const char* const* argv);

// The version of the program, as `anneal --version` prints it.
std::string_view program_version();

}  // namespace anneal
