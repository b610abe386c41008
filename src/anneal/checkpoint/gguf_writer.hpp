#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/base/shape.hpp"
#include "anneal/checkpoint/gguf.hpp"

namespace anneal {

// Writes a GGUF file of version 3: keys and tensors in the order in which they are added. Add all,
// then write; one tensor at a time is in memory.
class GgufWriter {
 public:
  void add(std::string_view key, std::string_view value);
  void add(std::string_view key, const char* value) { add(key, std::string_view(value)); }
  void add(std::string_view key, uint32_t value);
  void add(std::string_view key, float value);
  void add(std::string_view key, bool value);
  void add(std::string_view key, std::span<const std::string> values);
  void add(std::string_view key, std::span<const int32_t> values);
  void add(std::string_view key, std::span<const float> values);

  // A tensor, row-major; `values` fills all its elements when the file is written. The type is
  // one that quantise() makes.
  void add_tensor(const std::string& name, const Shape& shape, GgufType type,
                  std::function<void(std::span<float>)> values);

  void write(const std::filesystem::path& path) const;

 private:
  struct Tensor {
    std::string name;
    Shape shape;
    GgufType type;
    std::function<void(std::span<float>)> values;
    uint64_t bytes;
  };

  void key(std::string_view key, GgufValueType type);

  std::string metadata_;
  uint64_t keys_ = 0;
  std::vector<Tensor> tensors_;
};

}  // namespace anneal
