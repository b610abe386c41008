#include "anneal/cli/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

#include "anneal/base/error.hpp"
#include "anneal/train/signals.hpp"

namespace anneal {
namespace {

// What the child is given besides its arguments.
class SpawnSettings {
 public:
  SpawnSettings() {
    posix_spawn_file_actions_init(&files_);
    posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attributes_);
    // StopSignals blocks signals on every thread of ours; the child handles its own.
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes_, &none);
    // In a process group of its own, a terminal's Ctrl-C comes to us alone: the child would take
    // the signal that we pass on for a second one, which ends it unsaved.
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  pid_t spawn(const std::vector<std::string>& arguments) const {
    std::vector<char*> words = {const_cast<char*>("anneal")};
    for (const auto& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    pid_t child = 0;
    int error = posix_spawn(&child, "/proc/self/exe", &files_, &attributes_, words.data(), environ);
    if (error != 0) throw Error(str("cannot start another process: ", std::strerror(error)));
    return child;
  }

 private:
  posix_spawn_file_actions_t files_;
  posix_spawnattr_t attributes_;
};

}  // namespace

int run_self(const std::vector<std::string>& arguments) {
  constexpr useconds_t pause = 50'000;  // microseconds between looks at a signal
  pid_t child = SpawnSettings().spawn(arguments);
  bool told = false;
  while (true) {
    int status = 0;
    pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended < 0 && errno != EINTR)
      throw Error(str("cannot wait for process ", child, ": ", std::strerror(errno)));
    if (ended == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (StopSignals::requested() && !told) {
      told = true;
      ::kill(child, SIGTERM);
    }
    ::usleep(pause);
  }
}

}  // namespace anneal
