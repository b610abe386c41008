#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace anneal {

// What a data file holds, told by its name: NAME.jsonl is one JSON object a line, NAME.bin a token
// shard (bare when no NAME.json lies beside it), everything else plain text.
enum class SourceKind : uint8_t { text, jsonl, shard, bare_shard };

std::string_view name_of(SourceKind kind);

struct SourceFile {
  std::string path;  // as the pattern found it
  SourceKind kind = SourceKind::text;
  int64_t bytes = 0;
  int64_t modified_ns = 0;  // since the Unix epoch
  bool operator==(const SourceFile&) const = default;
};

// The regular files that `patterns` match: the patterns in the order given, the matches of each
// sorted bytewise, a file that several patterns match only at its first place. In a pattern `*`,
// `?` and `[…]` match within one part of the path, `**` any number of folders; a pattern that is
// the name of an existing file is that file. Sidecars (NAME.json beside NAME.bin) are passed over
// when a wildcard matches them. `key` is the config key that errors name. Throws UsageError when
// a pattern matches no file, names a folder or something else that is no regular file, when a file
// is not readable, and when it is recognisably not text (compressed, Parquet, PDF, …).
std::vector<SourceFile> find_sources(const std::vector<std::string>& patterns,
                                     std::string_view key);

// The file at `path` as it is on disk now. Throws UsageError naming `key`.
SourceFile stat_source(const std::string& path, std::string_view key);

int64_t total_bytes(const std::vector<SourceFile>& files);

}  // namespace anneal
