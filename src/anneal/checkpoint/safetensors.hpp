#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/base/dtype.hpp"
#include "anneal/base/file.hpp"
#include "anneal/base/hash.hpp"
#include "anneal/base/shape.hpp"
#include "anneal/model/head_interleaving.hpp"

namespace anneal {

// The safetensors format (https://huggingface.co/docs/safetensors): 8 bytes little-endian length of
// the header, a JSON header, then the tensors' bytes, dense, row-major and little-endian.

using SafetensorsMetadata = std::map<std::string, std::string>;

// A contiguous tensor somewhere in memory; `data` holds shape.elements() values of `dtype`, which
// the file has in the order of `interleaving`.
struct TensorView {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  const std::byte* data = nullptr;
  HeadInterleaving interleaving{};

  int64_t bytes() const { return shape.elements() * size_of(dtype); }
};

// Writes the tensors straight from where they lie. The file depends on the arguments only: tensors
// keep the given order, except that those of wider elements come first (the format has no gaps, and
// readers want every tensor aligned to its elements). If `hash` is given, it is fed all bytes.
// Returns the bytes written. Names must differ from one another.
int64_t write_safetensors(FileWriter& out, std::span<const TensorView> tensors,
                          const SafetensorsMetadata& metadata = {{"format", "pt"}},
                          ContentHash* hash = nullptr);
int64_t write_safetensors(const std::filesystem::path& path, std::span<const TensorView> tensors,
                          const SafetensorsMetadata& metadata = {{"format", "pt"}},
                          ContentHash* hash = nullptr);

// The same for tensors that are made one at a time: `bytes_of(i)` gives those of tensors[i], whose
// data is null, and they stay until the next call. Each is asked for once, in the file's order.
int64_t write_safetensors(FileWriter& out, std::span<const TensorView> tensors,
                          const std::function<const std::byte*(size_t i)>& bytes_of,
                          const SafetensorsMetadata& metadata = {{"format", "pt"}},
                          ContentHash* hash = nullptr);

// The size in bytes of the file that write_safetensors would make.
int64_t safetensors_size(std::span<const TensorView> tensors,
                         const SafetensorsMetadata& metadata = {{"format", "pt"}});

// A tensor as the header of a file describes it.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;           // as the format names it: F32, BF16, I64, …
  std::vector<int64_t> shape;  // any rank
  int64_t begin = 0;           // range of its bytes, counted from the end of the header
  int64_t end = 0;
};

// A safetensors file, mapped read-only. The constructor checks the whole header against the file,
// so that no later call can read outside it; whatever is wrong is a FormatError that names the file
// and the tensor.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);
  // The content of a file in memory that outlives this object; `where` is its name in errors.
  SafetensorsFile(std::span<const std::byte> content, std::string where);

  const std::string& where() const { return where_; }
  // In the order of their bytes.
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  const SafetensorsMetadata& metadata() const { return metadata_; }

  // The tensor of this name, or nullptr.
  const SafetensorsEntry* find(std::string_view name) const;

  // All of the following throw FormatError if there is no tensor of that name.
  const SafetensorsEntry& entry(std::string_view name) const;
  // Throws FormatError if the tensor has more than Shape::max_rank dimensions.
  Shape shape(std::string_view name) const;
  // Throws FormatError unless the tensor has exactly this shape.
  void expect_shape(std::string_view name, const Shape& expected) const;
  // The tensor's bytes in the file, not necessarily aligned.
  std::span<const std::byte> bytes(std::string_view name) const;
  // Copies all elements to `out` (as many as the entry's shape says), converting between F32, F16
  // and BF16 (rounding to nearest even) if `dtype` is f32, bf16 or f16. The other types are
  // read as they are; a file that holds something else is a FormatError.
  void read(std::string_view name, DType dtype, void* out) const;
  // The same for `count` elements from `first` on, which must be there.
  void read_part(std::string_view name, DType dtype, int64_t first, int64_t count, void* out) const;
  void read_as_f32(std::string_view name, float* out) const { read(name, DType::f32, out); }

 private:
  void parse(std::span<const std::byte> content);

  MappedFile file_;
  std::string where_;
  std::span<const std::byte> data_;  // all that follows the header
  std::vector<SafetensorsEntry> entries_;
  std::vector<size_t> by_name_;  // indices into entries_, sorted by name
  SafetensorsMetadata metadata_;
};

}  // namespace anneal
