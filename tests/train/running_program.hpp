#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"

extern char** environ;

namespace anneal {

// The built program as a process of its own, to be sent signals while it runs; killed, if it still
// runs, at the end of its scope.
class RunningProgram {
 public:
  explicit RunningProgram(const std::vector<std::string>& arguments) {
    std::vector<std::string> words = {ANNEAL_PROGRAM};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    auto err = err_file();
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    int failure = posix_spawn(&process_, argv[0], &files, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (failure != 0) throw Error(str("cannot start ", argv[0]));
  }
  ~RunningProgram() {
    if (ended()) return;
    send(SIGKILL);
    wait();
  }
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  // To a process that has ended and is not waited for yet this does nothing.
  void send(int signal) const { ::kill(process_, signal); }

  // As a terminal does: to it and to the processes that it started and left in its group.
  void send_to_group(int signal) const { ::kill(-process_, signal); }

  bool ended() {
    if (waited_) return true;
    waited_ = ::waitpid(process_, &status_, WNOHANG) == process_;
    return waited_;
  }

  // Looks every 200 µs until `condition` holds or the program has ended; whether it held.
  bool wait_until(const std::function<bool()>& condition) {
    while (true) {
      bool last = ended();
      if (condition()) return true;
      if (last) return false;
      timespec pause{0, 200'000};
      ::nanosleep(&pause, nullptr);
    }
  }

  // The exit code; 128 + signal if one ended it.
  int wait() {
    if (!waited_) ::waitpid(process_, &status_, 0);
    waited_ = true;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  }

  std::string err() const { return read_file(err_file()); }

 private:
  std::string err_file() const { return (dir_.path() / "err").string(); }

  TemporaryDirectory dir_;
  pid_t process_ = -1;
  bool waited_ = false;
  int status_ = 0;
};

}  // namespace anneal
