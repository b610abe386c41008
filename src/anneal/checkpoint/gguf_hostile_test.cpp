#include <gtest/gtest.h>
#include <cstring>
#include <memory>

#include "anneal/base/error.hpp"
#include "anneal/checkpoint/gguf.hpp"

namespace anneal {
namespace {

constexpr uint64_t huge = uint64_t{1} << 62;

// A file put together number by number.
struct Bytes {
  std::string text;
  template <class T>
  Bytes& put(T value) {
    text.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Bytes& u32(uint32_t value) { return put(value); }
  Bytes& u64(uint64_t value) { return put(value); }
  Bytes& name(const std::string& value) {
    u64(value.size());
    text += value;
    return *this;
  }
  Bytes& tensor(const std::string& label, std::initializer_list<uint64_t> dims, uint32_t type,
                uint64_t offset) {
    name(label).u32(static_cast<uint32_t>(dims.size()));
    for (uint64_t dim : dims) u64(dim);
    return u32(type).u64(offset);
  }
  Bytes& data(size_t bytes) {
    text.resize((text.size() + 31) / 32 * 32 + bytes);
    return *this;
  }
};

Bytes head(uint64_t tensors, uint64_t keys, uint32_t version = 3) {
  return Bytes{"GGUF"}.u32(version).u64(tensors).u64(keys);
}

// What the reader says of this content, which lies in a heap block of exactly its size.
std::string complaint(const std::string& content) {
  auto block = std::make_unique<std::byte[]>(content.size());
  std::memcpy(block.get(), content.data(), content.size());
  try {
    GgufFile file({block.get(), content.size()}, "evil");
    for (const auto& entry : file.entries()) {
      std::vector<float> out(static_cast<size_t>(entry.shape.elements()));
      file.read_as_f32(entry, out.data());
    }
  } catch (const FormatError& e) {
    EXPECT_EQ(std::string(e.what()).substr(0, 6), "[evil]") << e.what();
    EXPECT_LT(std::string(e.what()).size(), 400u);
    return e.what();
  }
  return "";
}

struct Hostile {
  std::string what;
  Bytes content;
  std::string expected;  // part of the message
};

void PrintTo(const Hostile& hostile, std::ostream* out) { *out << hostile.what; }

class HostileGguf : public testing::TestWithParam<Hostile> {};

TEST_P(HostileGguf, IsRefused) {
  auto message = complaint(GetParam().content.text);
  EXPECT_NE(message.find(GetParam().expected), std::string::npos)
      << "got: " << (message.empty() ? "no error" : message);
}

const Hostile cases[] = {
    {"empty", {}, "not a GGUF file"},
    {"another_file", {"PK\3\4aaaaaaaaaaaaaaaaaaaaaaa"}, "not a GGUF file"},
    {"only_magic", {"GGUF"}, "cut off"},
    {"version_1", head(0, 0, 1), "version 1"},
    {"big_endian", head(0, 0, 0x03000000), "big-endian"},
    {"many_keys", head(0, huge), "cut off"},
    {"many_tensors", head(huge, 0), "cut off"},
    {"long_key", head(0, 1).u64(huge), "cut off"},
    {"longest_key", head(0, 1).u64(~uint64_t{0}), "cut off"},
    {"unknown_value", head(0, 1).name("k").u32(13), "unknown type 13"},
    {"long_text", head(0, 1).name("k").u32(8).u64(huge), "cut off"},
    {"long_list", head(0, 1).name("k").u32(9).u32(10).u64(huge), "cut off"},
    {"longest_list", head(0, 1).name("k").u32(9).u32(10).u64(~uint64_t{0} / 8 + 2), "cut off"},
    {"long_list_of_texts", head(0, 1).name("k").u32(9).u32(8).u64(huge).name("a"), "cut off"},
    {"list_of_lists", head(0, 1).name("k").u32(9).u32(9).u64(1), "list of lists"},
    {"key_twice", head(0, 2).name("k").u32(4).u32(1).name("k").u32(4).u32(2), "two keys"},
    {"tensor_twice", head(2, 0).tensor("a", {1}, 0, 0).tensor("a", {1}, 0, 32).data(64),
     "two tensors"},
    {"no_dimension", head(1, 0).tensor("a", {}, 0, 0).data(4), "0 dimensions"},
    {"many_dimensions", head(1, 0).name("a").u32(~0u), "dimensions"},
    {"dimension_of_zero", head(1, 0).tensor("a", {0}, 0, 0).data(4), "impossible shape"},
    {"product_overflows", head(1, 0).tensor("a", {huge, 4}, 0, 0).data(4), "impossible shape"},
    {"unknown_tensor", head(1, 0).tensor("a", {1}, 99, 0).data(4), "unknown type 99"},
    {"part_of_a_block", head(1, 0).tensor("a", {33}, 8, 0).data(68), "blocks of 32"},
    {"unreadable", head(1, 0).tensor("a", {256}, 10, 0).data(84), "q2_k, which is not read"},
    {"beyond_the_end", head(1, 0).tensor("a", {9}, 0, 0).data(32), "outside the file"},
    {"offset_beyond", head(1, 0).tensor("a", {1}, 0, huge).data(4), "outside the file"},
    {"offset_overflows", head(1, 0).tensor("a", {8}, 0, ~uint64_t{31}).data(32),
     "outside the file"},
    {"offset_not_aligned", head(1, 0).tensor("a", {1}, 0, 4).data(32), "alignment"},
    {"no_data", head(1, 0).tensor("a", {1}, 0, 0), "outside the file"},
    {"alignment_of_zero", head(0, 1).name("general.alignment").u32(4).u32(0), "general.alignment"},
    {"huge_alignment", head(0, 1).name("general.alignment").u32(10).u64(huge), "general.alignment"},
    {"alignment_in_words", head(0, 1).name("general.alignment").u32(8).name("32"),
     "general.alignment"},
};

INSTANTIATE_TEST_SUITE_P(Files, HostileGguf, testing::ValuesIn(cases),
                         [](const auto& info) { return info.param.what; });

TEST(HostileGguf, EveryPrefixOfAFileIsRefused) {
  auto whole = head(1, 2)
                   .name("k")
                   .u32(9)
                   .u32(8)
                   .u64(2)
                   .name("a")
                   .name("b")
                   .name("l")
                   .u32(4)
                   .u32(7)
                   .tensor("a", {32, 2}, 8, 0)
                   .data(68);
  EXPECT_EQ(complaint(whole.text), "");
  for (size_t size = 0; size < whole.text.size(); ++size)
    EXPECT_NE(complaint(whole.text.substr(0, size)), "") << size;
}

}  // namespace
}  // namespace anneal
