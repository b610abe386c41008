#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace anneal {

// The whole file. Throws Error naming the path and the system's reason; a file larger than
// `limit` bytes is refused before anything is read.
std::string read_file(const std::filesystem::path& path, int64_t limit = int64_t{1} << 32);

// Writes a temporary file beside `path`, syncs it and renames it over `path`: readers see the old
// content or the new, never a part.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

// fsync of a file or a directory.
void sync_path(const std::filesystem::path& path);

// A file mapped read-only. Empty files are allowed.
class MappedFile {
 public:
  MappedFile() = default;
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// A file opened for writing, closed (without sync) by the destructor. All failures throw Error.
class FileWriter {
 public:
  explicit FileWriter(const std::filesystem::path& path, bool append = false);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  void write(const void* data, size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void sync();
  int64_t position() const { return position_; }

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  int64_t position_ = 0;
};

// A fresh directory, removed with all its content.
class TemporaryDirectory {
 public:
  TemporaryDirectory();  // where the system keeps such
  explicit TemporaryDirectory(const std::filesystem::path& parent);
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace anneal
