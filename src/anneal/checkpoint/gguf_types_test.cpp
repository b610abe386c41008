#include "anneal/checkpoint/gguf_types.hpp"

#include <gtest/gtest.h>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "anneal/base/dtype.hpp"
#include "anneal/base/file.hpp"

namespace anneal {
namespace {

nlohmann::json golden() {
  return nlohmann::json::parse(
      read_file(std::string(ANNEAL_SOURCE_DIR) + "/tests/golden/gguf.json"));
}

std::vector<std::byte> bytes_of(const std::string& hex) {
  std::vector<std::byte> bytes;
  for (size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

TEST(GgufTypes, DequantisedAsByTheReferenceImplementation) {
  auto cases = golden()["dequantised"];
  EXPECT_EQ(cases.size(), 8u);
  for (const auto& one : cases) {
    const GgufTypeInfo* type = find_gguf_type(one["type"].get<std::string>());
    ASSERT_TRUE(type && type->readable) << one["type"];
    auto bytes = bytes_of(one["bytes"]);
    std::vector<float> values(one["values"].size());
    ASSERT_EQ(static_cast<int64_t>(values.size()),
              static_cast<int64_t>(bytes.size()) / type->block_bytes * type->block);
    dequantise(type->type, bytes, values.data());
    for (size_t i = 0; i < values.size(); ++i)
      EXPECT_EQ(values[i], one["values"][i].get<float>()) << one["type"] << " " << i;
  }
}

TEST(GgufTypes, QuantisedAsByTheReferenceImplementation) {
  auto quantised = golden()["quantised"];
  auto values = quantised["values"].get<std::vector<float>>();
  std::vector<std::byte> bytes(values.size() / 32 * 34);
  quantise(GgufType::q8_0, values, bytes.data());
  EXPECT_EQ(bytes, bytes_of(quantised["q8_0"]));
}

TEST(GgufTypes, FloatsComeBackAsTheyAreRounded) {
  std::vector<float> values, back;
  for (int i = 0; i < 64; ++i) values.push_back(std::sin(static_cast<float>(i)));
  back.resize(values.size());
  std::vector<std::byte> bytes(4 * values.size());
  for (GgufType type : {GgufType::f32, GgufType::f16, GgufType::bf16}) {
    auto size = static_cast<size_t>(gguf_type_info(type)->block_bytes) * values.size();
    quantise(type, values, bytes.data());
    dequantise(type, {bytes.data(), size}, back.data());
    for (size_t i = 0; i < values.size(); ++i) {
      float expected = values[i];
      if (type == GgufType::f16) expected = static_cast<float>(f16(values[i]));
      if (type == GgufType::bf16) expected = static_cast<float>(bf16(values[i]));
      EXPECT_EQ(back[i], expected);
    }
  }
}

TEST(GgufTypes, NumbersThatHaveNoQuantumStayInRange) {
  std::vector<float> values(32, std::numeric_limits<float>::quiet_NaN());
  values[1] = std::numeric_limits<float>::infinity();
  values[2] = std::numeric_limits<float>::denorm_min();
  std::vector<std::byte> bytes(34);
  quantise(GgufType::q8_0, values, bytes.data());
  for (size_t i = 2; i < bytes.size(); ++i) EXPECT_GE(static_cast<int8_t>(bytes[i]), -127) << i;
  values.assign(32, std::numeric_limits<float>::denorm_min());
  quantise(GgufType::q8_0, values, bytes.data());
  std::vector<float> back(32, 1.0f);
  dequantise(GgufType::q8_0, bytes, back.data());
  for (float value : back) EXPECT_EQ(value, 0);
}

}  // namespace
}  // namespace anneal
