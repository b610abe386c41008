#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "anneal/checkpoint/safetensors_header.hpp"

namespace anneal {
namespace {

std::string json_text(const std::string& text) { return nlohmann::json(text).dump(); }

// Indices of the tensors in the order of their bytes.
std::vector<size_t> order_of(std::span<const TensorView> tensors) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return size_of(tensors[a].dtype) > size_of(tensors[b].dtype);
  });
  return order;
}

void check_names(std::span<const TensorView> tensors) {
  std::vector<std::string_view> names;
  for (const auto& tensor : tensors) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  auto twice = std::adjacent_find(names.begin(), names.end());
  ANNEAL_ASSERT(twice == names.end(), "two tensors are named ", *twice);
  ANNEAL_ASSERT(!std::binary_search(names.begin(), names.end(), "__metadata__"));
}

// Length and JSON, padded with spaces to a multiple of 8 bytes as the reference implementation
// does.
std::string header_of(std::span<const TensorView> tensors, std::span<const size_t> order,
                      const SafetensorsMetadata& metadata) {
  check_names(tensors);
  std::string json = "{";
  if (!metadata.empty()) {
    json += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata)
      json += str(json.back() == '{' ? "" : ",", json_text(key), ":", json_text(value));
    json += "}";
  }
  int64_t position = 0;
  for (size_t i : order) {
    const auto& tensor = tensors[i];
    if (json.size() > 1) json += ",";
    json += str(json_text(tensor.name), ":{\"dtype\":\"", safetensors_name_of(tensor.dtype),
                "\",\"shape\":", tensor.shape, ",\"data_offsets\":[", position, ",",
                position + tensor.bytes(), "]}");
    position += tensor.bytes();
  }
  json += "}";
  json.resize((json.size() + 7) / 8 * 8, ' ');
  uint64_t length = json.size();
  ANNEAL_ASSERT(length <= max_safetensors_header, "too many tensors for one file");
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + json;
}

}  // namespace

int64_t write_safetensors(FileWriter& out, std::span<const TensorView> tensors,
                          const SafetensorsMetadata& metadata, ContentHash* hash) {
  return write_safetensors(
      out, tensors, [&](size_t i) { return tensors[i].data; }, metadata, hash);
}

int64_t write_safetensors(FileWriter& out, std::span<const TensorView> tensors,
                          const std::function<const std::byte*(size_t i)>& bytes_of,
                          const SafetensorsMetadata& metadata, ContentHash* hash) {
  int64_t total = 0;
  auto put = [&](const void* data, int64_t bytes) {
    auto n = static_cast<size_t>(bytes);
    out.write(data, n);
    if (hash) hash->update(data, n);
    total += bytes;
  };
  auto order = order_of(tensors);
  auto header = header_of(tensors, order, metadata);
  put(header.data(), static_cast<int64_t>(header.size()));
  for (size_t i : order) {
    const auto& tensor = tensors[i];
    if (tensor.bytes() == 0) continue;
    const std::byte* data = bytes_of(i);
    const int64_t size = size_of(tensor.dtype);
    tensor.interleaving.for_runs(
        tensor.shape.elements(),
        [&](int64_t, int64_t here, int64_t count) { put(data + here * size, count * size); });
  }
  return total;
}

int64_t write_safetensors(const std::filesystem::path& path, std::span<const TensorView> tensors,
                          const SafetensorsMetadata& metadata, ContentHash* hash) {
  FileWriter out(path);
  return write_safetensors(out, tensors, metadata, hash);
}

int64_t safetensors_size(std::span<const TensorView> tensors, const SafetensorsMetadata& metadata) {
  auto size = static_cast<int64_t>(header_of(tensors, order_of(tensors), metadata).size());
  for (const auto& tensor : tensors) size += tensor.bytes();
  return size;
}

}  // namespace anneal
