#include "anneal/checkpoint/testing/sample_content.hpp"

#include <algorithm>

#include "anneal/base/error.hpp"
#include "anneal/checkpoint/resume.hpp"

namespace anneal {

SampleContent::SampleContent(int64_t step, int64_t variant) {
  auto value = [&](size_t i) { return static_cast<float>(step * 100 + variant * 10) + 0.25f * i; };
  for (size_t i = 0; i < 24; ++i) weights.push_back(value(i));
  for (size_t i = 0; i < 35; ++i) moments.push_back(-value(i));
  position = {step, variant};
  auto bytes = [](const auto& v) { return reinterpret_cast<const std::byte*>(v.data()); };
  content.step = step;
  content.model = {{"w", DType::f32, {4, 6}, bytes(weights)}};
  content.state = {{"m", DType::f32, {35}, bytes(moments)},
                   {"position", DType::i64, {2}, bytes(position)}};
  content.files = {{"config.json", str("{\"step\": ", step, "}")},
                   {"anneal_state/run.json", str("{\"variant\": ", variant, "}")}};
}

std::string difference_from_sample(const std::filesystem::path& dir, int64_t step,
                                   int64_t variant) {
  SampleContent expected(step, variant);
  CheckpointReader reader(dir);
  auto model = reader.model(), state = reader.state();
  for (auto [file, views] :
       {std::pair(&model, &expected.content.model), std::pair(&state, &expected.content.state)}) {
    if (file->entries().size() != views->size()) return file->where() + ": number of tensors";
    for (const auto& view : *views) {
      file->expect_shape(view.name, view.shape);
      auto bytes = file->bytes(view.name);
      if (!std::equal(bytes.begin(), bytes.end(), view.data, view.data + view.bytes()))
        return file->where() + ": values of " + view.name;
    }
  }
  for (const auto& [name, text] : expected.content.files)
    if (!reader.has(name) || reader.text(name) != text) return name;
  return "";
}

std::string names_in(const std::filesystem::path& dir) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  std::string joined;
  for (const auto& name : names) joined += (joined.empty() ? "" : " ") + name;
  return joined;
}

}  // namespace anneal
