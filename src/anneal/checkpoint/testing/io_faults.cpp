#undef _FORTIFY_SOURCE  // its inline wrappers would stand in the way of the definitions below

#include "anneal/checkpoint/testing/io_faults.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <mutex>

namespace anneal {
namespace {

std::mutex mutex;
IoFaults armed;
int64_t calls = 0;
std::vector<std::string> record;

std::string path_of(int fd) {
  char path[4096];
  auto link = "/proc/self/fd/" + std::to_string(fd);
  ssize_t n = ::readlink(link.c_str(), path, sizeof path);
  return std::string(path, n > 0 ? static_cast<size_t>(n) : 0);
}

[[noreturn]] void die() {
  ::kill(::getpid(), SIGKILL);
  while (true) ::pause();
}

// Counts a call. Returns true if it should fail (errno is set); `half` is set if it should do half
// its work and die() then.
bool faulty(const std::string& what, bool* half = nullptr) {
  std::lock_guard lock(mutex);
  if (armed.record) record.push_back(what);
  ++calls;
  bool now = calls == armed.at || (armed.fail_all_after && calls > armed.at);
  if (!now || armed.action == IoFaults::Action::none) return false;
  if (armed.action == IoFaults::Action::fail) {
    errno = armed.error;
    return true;
  }
  if (armed.action == IoFaults::Action::die || !half) die();
  *half = true;
  return false;
}

IoFaults current() {
  std::lock_guard lock(mutex);
  return armed;
}

std::string two(const char* from, const char* to) { return std::string(from) + " " + to; }

}  // namespace

void arm(const IoFaults& faults) {
  std::lock_guard lock(mutex);
  armed = faults;
  calls = 0;
  record.clear();
}

int64_t disarm() {
  std::lock_guard lock(mutex);
  armed = {};
  return calls;
}

std::vector<std::string> recorded_calls() {
  std::lock_guard lock(mutex);
  return record;
}

}  // namespace anneal

extern "C" {

ssize_t write(int fd, const void* data, size_t bytes) {
  bool half = false;
  if (anneal::faulty("write " + anneal::path_of(fd), &half)) return -1;
  if (half) {
    ::syscall(SYS_write, fd, data, bytes / 2);
    anneal::die();
  }
  return ::syscall(SYS_write, fd, data, bytes);
}

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if (flags & O_CREAT) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
    if (anneal::faulty(std::string("create ") + path)) return -1;
  }
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

int fsync(int fd) {
  if (anneal::faulty("sync " + anneal::path_of(fd))) return -1;
  return anneal::current().skip_sync ? 0 : static_cast<int>(::syscall(SYS_fsync, fd));
}

int rename(const char* from, const char* to) noexcept {
  if (anneal::faulty("rename " + anneal::two(from, to))) return -1;
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int renameat2(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) noexcept {
  if (anneal::faulty("exchange " + anneal::two(from, to))) return -1;
  if (anneal::current().no_exchange) {
    errno = EINVAL;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_renameat2, from_dir, from, to_dir, to, flags));
}

int mkdir(const char* path, mode_t mode) noexcept {
  if (anneal::faulty(std::string("mkdir ") + path)) return -1;
  return static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

int unlinkat(int dir, const char* path, int flags) noexcept {
  if (anneal::faulty(std::string("remove ") + path)) return -1;
  return static_cast<int>(::syscall(SYS_unlinkat, dir, path, flags));
}

int statvfs(const char* path, struct statvfs* info) noexcept {
  int fd = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY));
  if (fd < 0) return -1;
  int result = ::fstatvfs(fd, info);
  ::syscall(SYS_close, fd);
  if (auto blocks = anneal::current().free_blocks; blocks >= 0)
    info->f_bavail = static_cast<fsblkcnt_t>(blocks);
  return result;
}

}  // extern "C"
