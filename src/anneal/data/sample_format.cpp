#include "anneal/data/sample_format.hpp"

#include <algorithm>
#include <filesystem>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/base/hash.hpp"
#include "anneal/data/chat_sample.hpp"

namespace anneal {

SampleFormat sample_format(const std::string& named, const Tokenizer& tokenizer,
                           const std::vector<int64_t>& model_ends) {
  constexpr int64_t largest_file = 16 << 20;
  SampleFormat format;
  ContentHash hash;
  if (named != "byte") {
    std::filesystem::path directory = named;
    if (!std::filesystem::is_directory(directory)) directory = directory.parent_path();
    if (directory.empty()) directory = ".";
    format.chat = load_chat_template(directory);
    for (const char* name : {"tokenizer_config.json", "chat_template.jinja"}) {
      if (!std::filesystem::exists(directory / name)) continue;
      std::string text = read_file(directory / name, largest_file);
      hash.update(text.data(), text.size());
    }
  }
  auto add = [&](int64_t id) {
    auto end = static_cast<int32_t>(id);
    if (id < 0 || id >= tokenizer.vocab_size()) return;
    if (std::find(format.end_ids.begin(), format.end_ids.end(), end) == format.end_ids.end())
      format.end_ids.push_back(end);
  };
  // What ends a turn is written first: it is what a conversation ends in.
  if (format.chat && !format.chat->eos_token().empty()) {
    auto ids = tokenizer.encode(format.chat->eos_token(), {.read_special = true});
    if (ids.size() == 1) add(ids[0]);
  }
  for (int64_t id : model_ends) add(id);
  if (auto id = tokenizer.end_of_text()) add(*id);
  std::string ends;
  for (int32_t id : format.end_ids) ends += str(" ", id);
  hash.update(ends.data(), ends.size());
  format.hash = hash.hex();
  return format;
}

}  // namespace anneal
