#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "anneal/base/file.hpp"

// Reads tests/golden/*.json and computes what both sides compute; see README.md there.
namespace anneal::golden {

inline uint64_t splitmix64(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
  x = (x ^ x >> 27) * 0x94D049BB133111EBu;
  return x ^ x >> 31;
}

inline uint64_t fnv1a64(const std::string& s) {
  uint64_t h = 0xCBF29CE484222325u;
  for (unsigned char c : s) h = (h ^ c) * 0x100000001B3u;
  return h;
}

inline double uniform(const std::string& name, int64_t i) {
  return static_cast<double>(splitmix64(fnv1a64(name) + static_cast<uint64_t>(i)) >> 11) * 0x1p-53;
}

// Initial value of element i of the parameter with this Hugging Face name.
inline float parameter(const std::string& name, bool one_dimensional, int64_t i) {
  double u = uniform(name, i) - 0.5;
  if (name.ends_with(".bias")) return static_cast<float>(u * 0.1);
  if (one_dimensional) return static_cast<float>(1 + u * 0.2);
  return static_cast<float>(u * 0.2);
}

inline nlohmann::json read(const std::string& file) {
  return nlohmann::json::parse(read_file(std::string(ANNEAL_SOURCE_DIR) + "/tests/golden/" + file));
}

// ‖ours − theirs‖: exact where the record has all values, otherwise estimated from its dot products
// with random directions (within a factor of two).
inline double distance(const nlohmann::json& record, const std::string& name, const float* ours,
                       int64_t elements) {
  double sum = 0;
  if (!record.contains("dots")) {
    for (int64_t i = 0; i < elements; ++i) {
      double d =
          static_cast<double>(ours[i]) - record["values"][static_cast<size_t>(i)].get<double>();
      sum += d * d;
    }
    return std::sqrt(sum);
  }
  const auto& dots = record["dots"];
  for (size_t k = 0; k < dots.size(); ++k) {
    double dot = 0;
    std::string direction = name + "#dot" + std::to_string(k);
    for (int64_t i = 0; i < elements; ++i)
      dot += static_cast<double>(ours[i]) * (uniform(direction, i) - 0.5) * std::sqrt(12.0);
    double d = dot - dots[k].get<double>();
    sum += d * d;
  }
  return std::sqrt(sum / static_cast<double>(dots.size()));
}

}  // namespace anneal::golden
