#include "anneal/data/sources.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <unordered_set>

#include "anneal/base/error.hpp"
#include "anneal/data/glob.hpp"

namespace anneal {
namespace {

bool exists(const std::string& path, struct stat* info = nullptr) {
  struct stat local {};
  return ::stat(path.c_str(), info ? info : &local) == 0;
}

bool is_sidecar(const std::string& path) {
  return path.ends_with(".json") && exists(path.substr(0, path.size() - 5) + ".bin");
}

struct Signature {
  std::string_view bytes;
  const char* what;
  const char* fix;
};

using std::string_view_literals::operator""sv;
constexpr const char* unpack = "unpack it first";
constexpr const char* convert = "convert it to text or JSONL first";
constexpr Signature signatures[] = {
    {"\x1f\x8b"sv, "compressed by gzip", unpack},
    {"\x28\xb5\x2f\xfd"sv, "compressed by zstd", unpack},
    {"\xfd"
     "7zXZ\0"sv,
     "compressed by xz", unpack},
    {"BZh9"sv, "compressed by bzip2", unpack},
    {"PK\x03\x04"sv, "a zip archive", unpack},
    {"PAR1"sv, "a Parquet file", convert},
    {"ARROW1"sv, "an Arrow file", convert},
    {"%PDF-"sv, "a PDF", convert},
    {"\xff\xfe"sv, "UTF-16 text", "convert it to UTF-8 first"},
    {"\xfe\xff"sv, "UTF-16 text", "convert it to UTF-8 first"},
};

// Text files that are plainly something else would train a model on noise.
void refuse_other_formats(const std::string& path, std::string_view key) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  char head[8];
  ssize_t n = ::pread(fd, head, sizeof head, 0);
  ::close(fd);
  std::string_view start(head, n > 0 ? static_cast<size_t>(n) : 0);
  for (const Signature& s : signatures)
    if (start.starts_with(s.bytes))
      throw UsageError(str("[", key, "] ", path, " is ", s.what, ", expected text (", s.fix, ")"));
}

}  // namespace

std::string_view name_of(SourceKind kind) {
  constexpr std::string_view names[] = {"text", "JSONL", "token shard", "bare token shard"};
  return names[static_cast<int>(kind)];
}

SourceFile stat_source(const std::string& path, std::string_view key) {
  struct stat info {};
  if (!exists(path, &info))
    throw UsageError(str("[", key, "] no such file: ", path, " (", std::strerror(errno), ")"));
  if (S_ISDIR(info.st_mode))
    throw UsageError(str("[", key, "] ", path,
                         " is a folder, expected a file (for all files in it: ", path,
                         path.ends_with('/') ? "" : "/", "*)"));
  if (!S_ISREG(info.st_mode)) throw UsageError(str("[", key, "] ", path, " is not a regular file"));
  if (::access(path.c_str(), R_OK) != 0)
    throw UsageError(str("[", key, "] cannot read ", path, ": ", std::strerror(errno)));

  SourceFile file;
  file.path = path;
  file.bytes = info.st_size;
  file.modified_ns = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  if (path.ends_with(".jsonl")) {
    file.kind = SourceKind::jsonl;
  } else if (path.ends_with(".bin")) {
    bool sidecar = exists(path.substr(0, path.size() - 4) + ".json");
    file.kind = sidecar ? SourceKind::shard : SourceKind::bare_shard;
  }
  if (file.kind == SourceKind::text || file.kind == SourceKind::jsonl)
    refuse_other_formats(path, key);
  return file;
}

std::vector<SourceFile> find_sources(const std::vector<std::string>& patterns,
                                     std::string_view key) {
  std::vector<SourceFile> files;
  std::unordered_set<std::string> seen;
  for (const std::string& pattern : patterns) {
    std::vector<std::string> paths;
    bool wildcard = has_wildcard(pattern) && !exists(pattern);
    if (wildcard) {
      for (std::string& path : expand_glob(pattern)) {
        struct stat info {};
        if (exists(path, &info) && S_ISREG(info.st_mode) && !is_sidecar(path))
          paths.push_back(std::move(path));
      }
      if (paths.empty())
        throw UsageError(str("[", key, "] no file matches \"", pattern,
                             "\" (paths are relative to the current folder)"));
    } else {
      paths.push_back(pattern);
    }
    for (std::string& path : paths)
      if (seen.insert(path).second) files.push_back(stat_source(path, key));
  }
  return files;
}

int64_t total_bytes(const std::vector<SourceFile>& files) {
  int64_t total = 0;
  for (const SourceFile& file : files) total += file.bytes;
  return total;
}

}  // namespace anneal
