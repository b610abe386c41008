#include <gtest/gtest.h>
#include <cstring>
#include <memory>

#include "anneal/base/rng.hpp"
#include "anneal/checkpoint/safetensors.hpp"

namespace anneal {
namespace {

std::string with_length(uint64_t length, const std::string& rest) {
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + rest;
}

std::string file(const std::string& json, size_t data_bytes) {
  return with_length(json.size(), json + std::string(data_bytes, '\0'));
}

// What the reader says about this content, which lies in a heap block of exactly its size: an
// over-read is seen by the sanitizer.
std::string complaint(const std::string& content) {
  auto block = std::make_unique<std::byte[]>(content.size());
  std::memcpy(block.get(), content.data(), content.size());
  try {
    SafetensorsFile parsed({block.get(), content.size()}, "evil");
    for (const auto& entry : parsed.entries()) parsed.shape(entry.name);
  } catch (const FormatError& e) {
    EXPECT_EQ(std::string(e.what()).substr(0, 6), "[evil]") << e.what();
    EXPECT_LT(std::string(e.what()).size(), 400u);
    return e.what();
  }
  return "";
}

std::string tensor(const std::string& name, const std::string& dtype, const std::string& shape,
                   const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

struct Hostile {
  std::string what;
  std::string content;
  std::string expected;  // part of the message
};

void PrintTo(const Hostile& hostile, std::ostream* out) { *out << hostile.what; }

class HostileSafetensors : public testing::TestWithParam<Hostile> {};

TEST_P(HostileSafetensors, IsRefused) {
  auto message = complaint(GetParam().content);
  EXPECT_NE(message.find(GetParam().expected), std::string::npos)
      << "got: " << (message.empty() ? "no error" : message);
}

std::string deep(char open, size_t depth) { return "{\"x\":" + std::string(depth, open); }

const Hostile cases[] = {
    {"empty", "", "cut off"},
    {"seven bytes", "1234567", "cut off"},
    {"header longer than the file", with_length(100, "{}"), "cut off"},
    {"header of 2^64 bytes", with_length(~0ull, "{}"), "cut off"},
    {"header of 2^63 bytes", with_length(1ull << 63, "{}"), "cut off"},
    {"no header", with_length(0, ""), "begin with {"},
    {"array", file("[]", 0), "begin with {"},
    {"leading space", file(" {}", 0), "begin with {"},
    {"not JSON", file("{\"a\"", 0), "not valid JSON"},
    {"two documents", file("{}{}", 0), "not valid JSON"},
    {"not UTF-8", file("{\"\xff\":{}}", 0), "not valid JSON"},
    {"deep arrays", file(deep('[', 1000000), 0), "an array"},
    {"deep objects in a tensor", file("{\"x\":{\"y\":{\"z\":{}}}}", 0), "an object"},
    {"deep shape", file("{\"x\":{\"dtype\":\"F32\",\"shape\":[[1]],\"data_offsets\":[0,4]}}", 4),
     "'x': an array"},
    {"tensor is a number", file("{\"x\":1}", 0), "a number"},
    {"tensor is null", file("{\"x\":null}", 0), "null"},
    {"tensor is true", file("{\"x\":true}", 0), "a boolean"},
    {"no dtype", file("{\"x\":{\"shape\":[],\"data_offsets\":[0,4]}}", 4), "'x': no dtype"},
    {"no shape", file("{\"x\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4), "'x': no shape"},
    {"no offsets", file("{\"x\":{\"dtype\":\"F32\",\"shape\":[]}}", 4), "'x': no data_offsets"},
    {"two dtypes", file("{\"x\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 0), "repeated member"},
    {"two shapes", file("{\"x\":{\"shape\":[1],\"shape\":[1]}}", 0), "repeated member"},
    {"unknown member", file("{\"x\":{\"strides\":[1]}}", 0), "member 'strides'"},
    {"one offset", file("{" + tensor("x", "F32", "[1]", "[0]") + "}", 4), "two numbers"},
    {"three offsets", file("{" + tensor("x", "F32", "[1]", "[0,4,8]") + "}", 4), "two numbers"},
    {"negative dimension", file("{" + tensor("x", "F32", "[-1]", "[0,4]") + "}", 4),
     "'x': the negative number -1"},
    {"negative offset", file("{" + tensor("x", "F32", "[1]", "[-4,0]") + "}", 4), "negative"},
    {"dimension of 2^64",
     file("{" + tensor("x", "F32", "[18446744073709551616]", "[0,4]") + "}", 4),
     "integer is expected"},
    {"dimension of 2^63", file("{" + tensor("x", "F32", "[9223372036854775808]", "[0,4]") + "}", 4),
     "63 bits"},
    {"fractional dimension", file("{" + tensor("x", "F32", "[1.5]", "[0,4]") + "}", 4),
     "integer is expected"},
    {"product overflows to the right size",
     file("{" + tensor("x", "F32", "[4294967296,4294967297,1]", "[0,4]") + "}", 4),
     "too many bytes"},
    {"wrong size", file("{" + tensor("x", "F32", "[2]", "[0,4]") + "}", 4), "takes 8 bytes"},
    {"wrong size for the dtype", file("{" + tensor("x", "BF16", "[1]", "[0,4]") + "}", 4),
     "takes 2 bytes"},
    {"unknown dtype", file("{" + tensor("x", "F128", "[1]", "[0,16]") + "}", 16),
     "unknown dtype 'F128'"},
    {"beyond the file", file("{" + tensor("x", "F32", "[2]", "[0,8]") + "}", 4),
     "outside the file"},
    {"end before begin", file("{" + tensor("x", "F32", "[1]", "[4,0]") + "}", 4),
     "before they begin"},
    {"hole at the start", file("{" + tensor("x", "F32", "[1]", "[4,8]") + "}", 8), "hole after 0"},
    {"hole in the middle",
     file(
         "{" + tensor("x", "F32", "[1]", "[0,4]") + "," + tensor("y", "F32", "[1]", "[8,12]") + "}",
         12),
     "'y': its bytes begin at 8, leaving a hole after 4"},
    {"overlap",
     file(
         "{" + tensor("x", "F32", "[2]", "[0,8]") + "," + tensor("y", "F32", "[2]", "[4,12]") + "}",
         12),
     "'y': its bytes begin at 4, inside the tensor before it"},
    {"the same bytes twice",
     file("{" + tensor("x", "F32", "[1]", "[0,4]") + "," + tensor("y", "F32", "[1]", "[0,4]") + "}",
          4),
     "inside the tensor before it"},
    {"the same name twice",
     file("{" + tensor("x", "F32", "[1]", "[0,4]") + "," + tensor("x", "F32", "[1]", "[4,8]") + "}",
          8),
     "two tensors named 'x'"},
    {"trailing bytes", file("{" + tensor("x", "F32", "[1]", "[0,4]") + "}", 5), "1 bytes after"},
    {"trailing bytes, no tensor", file("{}", 3), "3 bytes after"},
    {"metadata is not text", file("{\"__metadata__\":{\"a\":1}}", 0), "a number"},
    {"two metadata", file("{\"__metadata__\":{},\"__metadata__\":{}}", 0), "second __metadata__"},
    {"metadata key twice", file("{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", 0),
     "twice the same key"},
    {"five dimensions", file("{" + tensor("x", "F32", "[1,1,1,1,1]", "[0,4]") + "}", 4),
     "5 dimensions"},
    {"a very long name with line breaks",
     file("{" + tensor(std::string(100000, 'a') + "\\n", "F32", "[2]", "[0,4]") + "}", 4), "aaa…'"},
};

INSTANTIATE_TEST_SUITE_P(All, HostileSafetensors, testing::ValuesIn(cases), [](const auto& info) {
  std::string name;
  for (char c : info.param.what) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

TEST(HostileSafetensors, HeaderBeyondTheLimitIsRefusedBeforeItIsRead) {
  std::string content = with_length(100'000'001, "{");
  content.resize(100'000'009, ' ');
  EXPECT_NE(complaint(content).find("100000000 are allowed"), std::string::npos);
}

TEST(HostileSafetensors, WhatIsOddButValidIsRead) {
  EXPECT_EQ(complaint(file("{}", 0)), "");
  EXPECT_EQ(complaint(file("{}    \n", 0)), "");
  // Huge other dimensions of a tensor without elements.
  EXPECT_EQ(
      complaint(file("{" + tensor("x", "F64", "[9223372036854775807,9,0]", "[0,0]") + "}", 0)), "");
  // The header's order is not that of the bytes.
  EXPECT_EQ(complaint(file("{" + tensor("x", "U8", "[1]", "[1,2]") + "," +
                               tensor("y", "U8", "[1]", "[0,1]") + "}",
                           2)),
            "");
}

TEST(HostileSafetensors, EveryCutAndManyFlipsAreRefusedOrRead) {
  std::string good =
      file("{\"__metadata__\":{\"format\":\"pt\"}," + tensor("x", "F32", "[2,1]", "[0,8]") + "," +
               tensor("y", "BF16", "[3]", "[8,14]") + "}",
           14);
  ASSERT_EQ(complaint(good), "");
  for (size_t n = 0; n < good.size(); ++n) EXPECT_NE(complaint(good.substr(0, n)), "") << n;
  for (uint32_t i = 0; i < 20000; ++i) {
    auto random = philox(1, i, 0);
    auto bad = good;
    for (uint32_t flips = 0; flips <= random[3] % 3; ++flips)
      bad[random[flips % 2] % bad.size()] = static_cast<char>(random[2] >> (8 * flips));
    complaint(bad);
  }
}

}  // namespace
}  // namespace anneal
