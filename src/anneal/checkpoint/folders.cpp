#include "anneal/checkpoint/folders.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/base/hash.hpp"
#include "anneal/checkpoint/checkpoint_writer.hpp"

namespace anneal {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail(const fs::path& path, std::string_view action, int code) {
  throw Error(str("[", path.string(), "] cannot ", action, ": ", std::strerror(code)));
}

void rename_or_fail(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    fail(from, "rename to " + to.filename().string(), errno);
}

fs::path with_prefix(std::string_view prefix, const fs::path& path) {
  return path.parent_path() / (std::string(prefix) + path.filename().string());
}

// The folders in `dir` whose names begin with `prefix`.
std::vector<fs::path> folders_in(const fs::path& dir, std::string_view prefix) {
  std::vector<fs::path> folders;
  std::error_code error;
  fs::directory_iterator it(dir, error), end;
  if (error == std::errc::no_such_file_or_directory) return folders;
  for (; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->path().filename().string().starts_with(prefix) && it->is_directory(ignored))
      folders.push_back(it->path());
  }
  if (error) fail(dir, "read the folder", error.value());
  return folders;
}

std::string gibibytes(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f GiB", static_cast<double>(bytes) / (1 << 30));
  return text;
}

}  // namespace

std::string checkpoint_folder_name(int64_t step) {
  char name[32];
  std::snprintf(name, sizeof name, "step-%08lld", static_cast<long long>(step));
  return name;
}

std::optional<int64_t> step_of_folder_name(std::string_view name) {
  constexpr std::string_view prefix = "step-";
  if (!name.starts_with(prefix)) return {};
  int64_t step = 0;
  auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), step);
  if (error != std::errc() || step < 0 || checkpoint_folder_name(step) != name) return {};
  return step;
}

std::vector<StepFolder> step_folders(const fs::path& dir) {
  std::vector<StepFolder> found;
  for (const auto& path : folders_in(dir, "step-"))
    if (auto step = step_of_folder_name(path.filename().string())) found.push_back({*step, path});
  auto complete = found.size();
  for (const auto& path : folders_in(dir, replaced_prefix)) {
    auto step = step_of_folder_name(path.filename().string().substr(replaced_prefix.size()));
    auto has_name = [&](const StepFolder& other) { return other.step == *step; };
    if (step && std::none_of(found.begin(), found.begin() + complete, has_name))
      found.push_back({*step, path});
  }
  std::sort(found.begin(), found.end(), [](auto& a, auto& b) { return a.step < b.step; });
  return found;
}

void clear_leftovers(const fs::path& dir) {
  for (const auto& path : folders_in(dir, replaced_prefix)) {
    auto original = dir / path.filename().string().substr(replaced_prefix.size());
    if (fs::exists(original)) {
      remove_tree(path);
    } else {
      rename_or_fail(path, original);
    }
  }
  for (const auto& path : folders_in(dir, temporary_prefix)) remove_tree(path);
}

void make_folder(const fs::path& path) {
  std::error_code error;
  if (path.empty() || fs::is_directory(path, error)) return;
  auto parent = path.parent_path();
  make_folder(parent);
  fs::create_directory(path, error);
  if (error) fail(path, "create the folder", error.value());
  sync_path(parent.empty() ? "." : parent);
}

void remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) fail(path, "remove the folder", error.value());
}

void commit_folder(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return sync_path(to.parent_path());
  if (errno != ENOTEMPTY && errno != EEXIST)
    fail(from, "rename to " + to.filename().string(), errno);
  auto old = from;
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) != 0) {
    if (errno != EINVAL && errno != ENOSYS)
      fail(from, "exchange with " + to.filename().string(), errno);
    old = with_prefix(replaced_prefix, to);
    remove_tree(old);
    rename_or_fail(to, old);
    rename_or_fail(from, to);
  }
  sync_path(to.parent_path());
  remove_tree(old);
}

void remove_folder_atomically(const fs::path& path) {
  auto temporary = with_prefix(std::string(temporary_prefix) + "remove-", path);
  remove_tree(temporary);
  rename_or_fail(path, temporary);
  remove_tree(temporary);
}

void require_space(const fs::path& dir, int64_t bytes) {
  struct statvfs info {};
  if (::statvfs(dir.c_str(), &info) != 0) fail(dir, "ask for free space", errno);
  // Compared in blocks: the product could overflow on network file systems.
  auto block = std::max<uint64_t>(1, info.f_frsize);
  if (static_cast<uint64_t>(bytes) / block < info.f_bavail) return;
  throw Error(str("[", dir.string(), "] a checkpoint takes ", gibibytes(bytes), ", only ",
                  gibibytes(static_cast<int64_t>(info.f_bavail * block)),
                  " are free there (free some space, or lower checkpoint.keep)"));
}

std::string hash_file(const fs::path& path, std::span<std::byte> buffer) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(path, "open", errno);
  ContentHash hash;
  while (true) {
    ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      int code = errno;
      ::close(fd);
      if (n < 0) fail(path, "read", code);
      return hash.hex();
    }
    hash.update(buffer.data(), static_cast<size_t>(n));
  }
}

}  // namespace anneal
