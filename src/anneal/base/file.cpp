#include "anneal/base/file.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <utility>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* action) {
  int code = errno;
  throw Error(str("[", path.string(), "] cannot ", action, ": ", std::strerror(code)));
}

// Owns a file descriptor for the length of a scope.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

int64_t size_of_open_file(int fd, const std::filesystem::path& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) fail(path, "read");
  if (S_ISDIR(info.st_mode)) {
    errno = EISDIR;
    fail(path, "read");
  }
  return info.st_size;
}

void write_all(int fd, const void* data, size_t bytes, const std::filesystem::path& path) {
  auto p = static_cast<const char*>(data);
  while (bytes > 0) {
    ssize_t n = ::write(fd, p, bytes);
    if (n < 0) {
      if (errno == EINTR) continue;
      fail(path, "write");
    }
    p += n;
    bytes -= static_cast<size_t>(n);
  }
}

}  // namespace

std::string read_file(const std::filesystem::path& path, int64_t limit) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) fail(path, "open");
  int64_t size = size_of_open_file(file.fd, path);
  if (size > limit)
    throw FormatError(
        str("[", path.string(), "] is ", size, " bytes, larger than the limit of ", limit));
  std::string content;
  content.reserve(static_cast<size_t>(size));
  char buffer[1 << 16];
  // Reads to the end rather than `size` bytes: pipes and files in /proc report 0.
  while (true) {
    ssize_t n = ::read(file.fd, buffer, sizeof buffer);
    if (n < 0) {
      if (errno == EINTR) continue;
      fail(path, "read");
    }
    if (n == 0) return content;
    content.append(buffer, static_cast<size_t>(n));
    if (static_cast<int64_t>(content.size()) > limit)
      throw FormatError(str("[", path.string(), "] is larger than the limit of ", limit));
  }
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  auto temporary = path;
  temporary += ".tmp";
  {
    FileWriter out(temporary);
    out.write(content);
    out.sync();
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) fail(path, "replace");
  auto parent = path.parent_path();
  sync_path(parent.empty() ? "." : parent);
}

namespace {

bool synced(int fd) {
  int result;
  do result = ::fsync(fd);
  while (result != 0 && errno == EINTR);
  return result == 0;
}

}  // namespace

void sync_path(const std::filesystem::path& path) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) fail(path, "open");
  if (!synced(file.fd)) fail(path, "sync");
}

MappedFile::MappedFile(const std::filesystem::path& path) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) fail(path, "open");
  size_ = static_cast<size_t>(size_of_open_file(file.fd, path));
  if (size_ == 0) return;
  void* p = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (p == MAP_FAILED) fail(path, "map");
  data_ = static_cast<const std::byte*>(p);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

FileWriter::FileWriter(const std::filesystem::path& path, bool append) : path_(path) {
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0644);
  if (fd_ < 0) fail(path, "open for writing");
}

FileWriter::~FileWriter() { ::close(fd_); }

void FileWriter::write(const void* data, size_t bytes) {
  write_all(fd_, data, bytes, path_);
  position_ += static_cast<int64_t>(bytes);
}

void FileWriter::sync() {
  if (!synced(fd_)) fail(path_, "sync");
}

TemporaryDirectory::TemporaryDirectory()
    : TemporaryDirectory(std::filesystem::temp_directory_path()) {}

TemporaryDirectory::TemporaryDirectory(const std::filesystem::path& parent) {
  auto pattern = (parent / "anneal-XXXXXX").string();
  if (!::mkdtemp(pattern.data())) fail(pattern, "create a directory");
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace anneal
