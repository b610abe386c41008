// The only file that knows the command-line library.

#include "anneal/cli/command.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <map>

namespace anneal {
namespace {

constexpr std::string_view version = "0.1.0";

template <class T>
void add_option(CLI::App& app, const std::string& name, const std::string& value_name, T& value,
                const std::string& doc, bool required, const std::string& default_text) {
  auto* option = app.add_option(name, value, doc);
  option->option_text(value_name + (required               ? " (required)"
                                    : default_text.empty() ? ""
                                                           : " [" + default_text + "]"));
  option->required(required);
}

// The command that the arguments led to so far, as the user would type it.
const CLI::App& deepest(const CLI::App& root) {
  const CLI::App* app = &root;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  return *app;
}

std::string full_name(const CLI::App& app) {
  return app.get_parent() ? full_name(*app.get_parent()) + " " + app.get_name() : app.get_name();
}

// "did you mean --prompt? ", or "".
std::string suggestion(const CLI::App& app, const std::string& word) {
  std::vector<std::string> known;
  if (word.starts_with("-")) {
    for (const auto* option : app.get_options())
      for (const auto& name : option->get_lnames()) known.push_back("--" + name);
  } else {
    for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; }))
      if (!command->get_group().empty()) known.push_back(command->get_name());
  }
  auto near = nearest_word(word.substr(0, word.find('=')), known.data(), known.size());
  return near.empty() ? "" : "did you mean " + near + "? ";
}

[[noreturn]] void refuse(const CLI::App& root, const CLI::ParseError& error) {
  const CLI::App& app = deepest(root);
  auto name = full_name(app);
  auto help = str(name, " --help shows what it takes");
  // What is left over explains the rest: after a misspelt option or command, others are missing.
  auto unexpected = root.remaining(true);
  bool incomplete = dynamic_cast<const CLI::RequiredError*>(&error) ||
                    dynamic_cast<const CLI::ExtrasError*>(&error);
  if (incomplete && !unexpected.empty())
    throw UsageError(str("[", name, "] unexpected argument: ", unexpected.front(), " (",
                         suggestion(app, unexpected.front()), help, ")"));
  if (dynamic_cast<const CLI::RequiredError*>(&error) && app.get_require_subcommand_min() > 0)
    throw UsageError(str("[", name, "] a command is missing (", help, ")"));
  throw UsageError(str("[", name, "] ", error.what(), " (", help, ")"));
}

// The program's commands in the library's form, and what to run for each.
class CommandTree {
 public:
  CommandTree() : root_("Trains large language models, from one program.", "anneal") {
    prepare(root_);
    root_.set_version_flag("--version", str("anneal ", version), "Print the version");
    root_.footer(
        "Example:\n  anneal train my.toml --set train.steps=100\n\n"
        "anneal COMMAND --help shows what a command takes.");
    for (const auto& group : all_command_groups()) group_summaries_[group.name] = group.summary;
    for (const auto& command : all_commands()) add(command);
  }

  CLI::App& root() { return root_; }

  ExitCode run_parsed() { return actions_.at(&deepest(root_))(); }

 private:
  static void prepare(CLI::App& app) {
    app.require_subcommand(1);
    app.set_help_flag("-h,--help", "Print this help");
    app.get_formatter()->label("SUBCOMMAND", "COMMAND");
    app.get_formatter()->label("Positionals", "Arguments");
    app.get_formatter()->column_width(36);
  }

  void add(const Command& command) {
    CLI::App* parent = &root_;
    std::string name = command.name;
    if (auto space = name.find(' '); space != std::string::npos) {
      parent = group(name.substr(0, space), command.hidden);
      name = name.substr(space + 1);
    }
    CLI::App* app = parent->add_subcommand(name, command.summary);
    app->require_subcommand(0);
    app->group(command.hidden ? "" : "Commands");
    app->footer(str("Example:\n  anneal ", command.example));
    Arguments arguments(*app);
    actions_[app] = command.setup(arguments);
  }

  CLI::App* group(const std::string& name, bool hidden) {
    if (auto known = groups_.find(name); known != groups_.end()) return known->second;
    auto summary = group_summaries_.find(name);
    auto* app =
        root_.add_subcommand(name, summary == group_summaries_.end() ? "" : summary->second);
    app->require_subcommand(1);
    app->group(hidden ? "" : "Commands");
    app->footer(str("anneal ", name, " COMMAND --help shows what a command takes."));
    groups_[name] = app;
    return app;
  }

  CLI::App root_;
  std::map<std::string, std::string> group_summaries_;
  std::map<std::string, CLI::App*> groups_;
  std::map<const CLI::App*, std::function<ExitCode()>> actions_;
};

}  // namespace

void Arguments::positional(const std::string& name, std::string& value, const std::string& doc) {
  app_.add_option(name, value, doc)->required()->option_text(" ");
}

void Arguments::positional(const std::string& name, std::vector<std::string>& values,
                           const std::string& doc, bool optional) {
  app_.add_option(name, values, doc)->required(!optional)->option_text("...");
}

void Arguments::option(const std::string& name, const std::string& value_name, std::string& value,
                       const std::string& doc, bool required) {
  add_option(app_, name, value_name, value, doc, required, value);
}

void Arguments::option(const std::string& name, const std::string& value_name, int64_t& value,
                       const std::string& doc, bool required) {
  add_option(app_, name, value_name, value, doc, required, str(value));
}

void Arguments::option(const std::string& name, const std::string& value_name, double& value,
                       const std::string& doc, bool required) {
  add_option(app_, name, value_name, value, doc, required, str(value));
}

void Arguments::option(const std::string& name, const std::string& value_name,
                       std::vector<std::string>& values, const std::string& doc, bool required) {
  // One value each time it is given: "--set a=1 my.toml" leaves my.toml to the command.
  app_.add_option(name, values, doc)
      ->allow_extra_args(false)
      ->take_all()
      ->option_text(value_name + " ...")
      ->required(required);
}

void Arguments::flag(const std::string& name, bool& value, const std::string& doc) {
  app_.add_flag(name, value, doc);
}

std::string_view program_version() { return version; }

ExitCode run_command_line(int argc, const char* const* argv) {
  CommandTree tree;
  try {
    tree.root().parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    // help() follows the parsed commands down to the one that was asked about.
    std::cout << tree.root().help();
    return ExitCode::ok;
  } catch (const CLI::CallForVersion& answer) {
    std::cout << answer.what() << "\n";
    return ExitCode::ok;
  } catch (const CLI::ParseError& error) {
    refuse(tree.root(), error);
  }
  auto code = tree.run_parsed();
  if (!std::cout.flush()) throw Error("[stdout] cannot write the output (is the disk full?)");
  return code;
}

}  // namespace anneal
