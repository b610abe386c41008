#include <cstdio>
#include <exception>
#include <new>

#include "anneal/cli/command.hpp"

namespace {

// Without allocating: this also reports that memory has run out.
int report(const char* message, anneal::ExitCode code) {
  std::fprintf(stderr, "error: %s\n", message);
  return static_cast<int>(code);
}

}  // namespace

int main(int argc, char** argv) {
  using anneal::ExitCode;
  try {
    return static_cast<int>(anneal::run_command_line(argc, argv));
  } catch (const anneal::Error& error) {
    return report(error.what(), error.code());
  } catch (const std::bad_alloc&) {
    return report("out of memory", ExitCode::failure);
  } catch (const std::exception& error) {
    return report(error.what(), ExitCode::failure);
  } catch (...) {
    return report("unknown failure", ExitCode::failure);
  }
}
