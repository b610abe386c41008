#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "anneal/base/file.hpp"
#include "anneal/base/shape.hpp"
#include "anneal/checkpoint/gguf_types.hpp"

namespace anneal {

// The GGUF format of llama.cpp (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md),
// versions 2 and 3, little-endian: metadata of typed keys, a table of tensors, their bytes.

enum class GgufValueType : uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  text,
  array,
  u64,
  i64,
  f64,
};

// A value of the metadata: a view of its bytes in the file, decoded when asked for.
struct GgufValue {
  GgufValueType type = GgufValueType::u8;
  GgufValueType element = GgufValueType::u8;  // of an array
  uint64_t count = 1;                         // elements of an array
  std::span<const std::byte> bytes;           // without type and count

  // Each returns nothing where the value is of another kind or does not fit.
  std::optional<int64_t> integer() const;
  std::optional<double> number() const;
  std::optional<bool> boolean() const;
  std::optional<std::string_view> text() const;
  std::optional<std::vector<std::string_view>> texts() const;
  std::optional<std::vector<double>> numbers() const;
};

struct GgufEntry {
  std::string name;
  GgufType type = GgufType::f32;
  Shape shape;         // row-major: outermost dimension first
  uint64_t begin = 0;  // range of its bytes, counted from the beginning of the file
  uint64_t bytes = 0;
};

// A GGUF file, mapped read-only. The constructor checks metadata and table against the file, so
// that no later call can read outside it; whatever is wrong is a FormatError that names the file
// and the key or tensor. Memory stays proportional to the file's own metadata.
class GgufFile {
 public:
  explicit GgufFile(const std::filesystem::path& path);
  // The content of a file in memory that outlives this object; `where` is its name in errors.
  GgufFile(std::span<const std::byte> content, std::string where);

  const std::string& where() const { return where_; }
  uint32_t version() const { return version_; }
  // In the order of the file.
  const std::vector<std::pair<std::string, GgufValue>>& metadata() const { return metadata_; }
  const std::vector<GgufEntry>& entries() const { return entries_; }

  // Null if there is no such key.
  const GgufValue* find(std::string_view key) const;
  // Throw FormatError if the key is there with a value of another kind.
  std::optional<int64_t> integer(std::string_view key) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<bool> boolean(std::string_view key) const;
  std::optional<std::string> text(std::string_view key) const;
  std::optional<std::vector<std::string_view>> texts(std::string_view key) const;
  std::optional<std::vector<double>> numbers(std::string_view key) const;

  // The tensor of this name, or nullptr.
  const GgufEntry* find_tensor(std::string_view name) const;
  std::span<const std::byte> bytes(const GgufEntry& entry) const;
  // Copies all elements to `out`. Throws FormatError if the type is not one that can be read.
  void read_as_f32(const GgufEntry& entry, float* out) const;

 private:
  void parse();

  MappedFile file_;
  std::span<const std::byte> content_;
  std::string where_;
  uint32_t version_ = 0;
  std::vector<std::pair<std::string, GgufValue>> metadata_;
  std::vector<size_t> metadata_by_name_, tensors_by_name_;  // sorted indices
  std::vector<GgufEntry> entries_;
};

}  // namespace anneal
