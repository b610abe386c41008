#include "anneal/checkpoint/safetensors.hpp"

#include <gtest/gtest.h>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

namespace anneal {
namespace {

template <class T>
TensorView view(std::string name, DType dtype, Shape shape, const std::vector<T>& values) {
  EXPECT_EQ(shape.elements(), static_cast<int64_t>(values.size()));
  return {std::move(name), dtype, shape, reinterpret_cast<const std::byte*>(values.data())};
}

// A file with one tensor "x" of the format's `dtype` and these elements.
template <class T>
std::string file_of(const std::string& dtype, const std::vector<T>& values) {
  std::string json = str("{\"x\":{\"dtype\":\"", dtype, "\",\"shape\":[", values.size(),
                         "],\"data_offsets\":[0,", values.size() * sizeof(T), "]}}");
  uint64_t length = json.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + json +
         std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

SafetensorsFile in_memory(const std::string& content) {
  return {std::as_bytes(std::span(content)), "memory"};
}

std::string message_of(auto&& f) {
  try {
    f();
  } catch (const FormatError& e) {
    return e.what();
  }
  return "no error";
}

class SafetensorsFiles : public testing::Test {
 protected:
  TemporaryDirectory dir_;
  std::filesystem::path path_ = dir_.path() / "t.safetensors";
  std::vector<float> floats_ = {1.5f, -2.0f, 3.25f, 0.0f, 1e-30f, 6.0f};
  std::vector<int64_t> wide_ = {-1, int64_t{1} << 62};
  std::vector<double> scalar_ = {3.141592653589793};
  std::vector<float> none_;
};

TEST_F(SafetensorsFiles, BytesAreThoseOfTheFormat) {
  std::vector<TensorView> tensors = {view("a\"b", DType::f32, {2, 3}, floats_)};
  int64_t bytes = write_safetensors(path_, tensors);
  std::string json =
      R"({"__metadata__":{"format":"pt"},"a\"b":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})";
  json.resize((json.size() + 7) / 8 * 8, ' ');
  uint64_t length = json.size();
  std::string expected = std::string(reinterpret_cast<const char*>(&length), 8) + json +
                         std::string(reinterpret_cast<const char*>(floats_.data()), 24);
  EXPECT_EQ(read_file(path_), expected);
  EXPECT_EQ(bytes, static_cast<int64_t>(expected.size()));
  EXPECT_EQ(safetensors_size(tensors), bytes);
}

TEST_F(SafetensorsFiles, RoundTrip) {
  std::vector<TensorView> tensors = {
      view("f", DType::f32, {2, 3}, floats_), view("i", DType::i64, {2}, wide_),
      view("e", DType::f32, {0, 7}, none_), view("d", DType::f64, {}, scalar_)};
  ContentHash hash, again;
  write_safetensors(path_, tensors, {{"b", "2"}, {"a", "1"}}, &hash);
  auto content = read_file(path_);
  again.update(content.data(), content.size());
  EXPECT_EQ(hash.hex(), again.hex());

  SafetensorsFile file(path_);
  EXPECT_EQ(file.metadata(), (SafetensorsMetadata{{"a", "1"}, {"b", "2"}}));
  ASSERT_EQ(file.entries().size(), 4u);
  // The wide ones first, so that everything is aligned to its elements; otherwise as given.
  std::string names;
  for (const auto& e : file.entries()) names += e.name;
  EXPECT_EQ(names, "idfe");
  EXPECT_EQ(file.shape("f"), (Shape{2, 3}));
  EXPECT_EQ(file.shape("e"), (Shape{0, 7}));
  EXPECT_EQ(file.shape("d"), (Shape{}));

  std::vector<float> f(6);
  file.read_as_f32("f", f.data());
  EXPECT_EQ(f, floats_);
  std::vector<int64_t> i(2);
  file.read("i", DType::i64, i.data());
  EXPECT_EQ(i, wide_);
  double d = 0;
  file.read("d", DType::f64, &d);
  EXPECT_EQ(d, scalar_[0]);
  file.read("e", DType::f32, nullptr);
}

TEST_F(SafetensorsFiles, NoTensorsAtAll) {
  write_safetensors(path_, {});
  EXPECT_TRUE(SafetensorsFile(path_).entries().empty());
  write_safetensors(path_, {}, {});
  EXPECT_EQ(read_file(path_).substr(8), "{}      ");
  EXPECT_TRUE(SafetensorsFile(path_).metadata().empty());
}

TEST_F(SafetensorsFiles, NamesMustDiffer) {
  std::vector<TensorView> twice(2, view("a", DType::f32, {6}, floats_));
  EXPECT_THROW(write_safetensors(path_, twice), InternalError);
  std::vector<TensorView> reserved = {view("__metadata__", DType::f32, {6}, floats_)};
  EXPECT_THROW(write_safetensors(path_, reserved), InternalError);
}

TEST_F(SafetensorsFiles, ErrorsNameFileAndTensor) {
  std::vector<TensorView> tensors = {view("h.0.weight", DType::f32, {2, 3}, floats_)};
  write_safetensors(path_, tensors);
  SafetensorsFile file(path_);
  auto missing = message_of([&] { file.entry("h.0.weigth"); });
  EXPECT_NE(missing.find(path_.string()), std::string::npos) << missing;
  EXPECT_NE(missing.find("nearest is 'h.0.weight'"), std::string::npos) << missing;
  auto shape = message_of([&] { file.expect_shape("h.0.weight", {3, 2}); });
  EXPECT_NE(shape.find("'h.0.weight': expected shape [3,2], got [2,3]"), std::string::npos)
      << shape;
  EXPECT_NO_THROW(file.expect_shape("h.0.weight", {2, 3}));
  int64_t unused[6];
  auto dtype = message_of([&] { file.read("h.0.weight", DType::i64, unused); });
  EXPECT_NE(dtype.find("is F32, expected I64"), std::string::npos) << dtype;
  EXPECT_EQ(file.find("nothing"), nullptr);
}

TEST(SafetensorsConversion, EveryHalfIsExactInF32) {
  std::vector<uint16_t> all(1 << 16);
  std::iota(all.begin(), all.end(), uint16_t{0});
  auto content = file_of("F16", all);
  std::vector<float> out(all.size());
  in_memory(content).read_as_f32("x", out.data());
  for (uint32_t i = 0; i < all.size(); ++i) {
    // IEEE 754-2008, 3.4: (−1)^s · 2^(e−15) · (1 + f/1024), subnormal below e = 1.
    int exponent = (i >> 10) & 31, fraction = i & 1023;
    double expected = exponent == 0    ? std::ldexp(fraction, -24)
                      : exponent == 31 ? (fraction ? NAN : INFINITY)
                                       : std::ldexp(1024 + fraction, exponent - 25);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(out[i])) << i;
    } else {
      EXPECT_EQ(std::fabs(out[i]), expected) << i;
    }
    EXPECT_EQ(std::signbit(out[i]), i >= 0x8000) << i;
  }
}

template <class T>
void expect_conversions(DType dtype, const std::string& name) {
  std::vector<float> values = {1.0f,     -0.0f, 1.0f + 0x1p-8f, 1.0f + 0x1p-11f,
                               3.14159f, 7e4f,  INFINITY};
  auto content = file_of("F32", values);
  std::vector<T> narrow(values.size());
  in_memory(content).read("x", dtype, narrow.data());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(narrow[i].bits, T(values[i]).bits);

  auto narrow_content = file_of(name, narrow);
  std::vector<float> back(values.size());
  in_memory(narrow_content).read_as_f32("x", back.data());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(back[i], float(narrow[i]));
  std::vector<T> same(values.size());
  in_memory(narrow_content).read("x", dtype, same.data());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(same[i].bits, narrow[i].bits);
}

TEST(SafetensorsConversion, BetweenF32AndBf16) { expect_conversions<bf16>(DType::bf16, "BF16"); }
TEST(SafetensorsConversion, BetweenF32AndF16) { expect_conversions<f16>(DType::f16, "F16"); }

TEST(SafetensorsConversion, OtherTypesAreReadOnlyAsTheyAre) {
  auto ints = file_of("I32", std::vector<int32_t>{1, -2});
  int32_t out[2];
  in_memory(ints).read("x", DType::i32, out);
  EXPECT_EQ(out[1], -2);
  float floats[2];
  EXPECT_THROW(in_memory(ints).read_as_f32("x", floats), FormatError);
  auto doubles = file_of("F64", std::vector<double>{1, 2});
  EXPECT_THROW(in_memory(doubles).read_as_f32("x", floats), FormatError);
}

}  // namespace
}  // namespace anneal
