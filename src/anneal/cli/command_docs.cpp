#include <iostream>

#include "anneal/cli/command.hpp"
#include "anneal/cli/config_write.hpp"

namespace anneal {

Command docs_config_command() {
  return {.name = "docs config",
          .summary = "Print the reference of all config keys, in Markdown",
          .example = "docs config > docs/config.md",
          .setup =
              [](Arguments&) {
                return [] {
                  std::cout << config_reference();
                  return ExitCode::ok;
                };
              },
          .hidden = true};
}

}  // namespace anneal
