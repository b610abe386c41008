#pragma once

#include <gtest/gtest.h>
#include <filesystem>
#include <string>
#include <string_view>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"

namespace anneal {

namespace fs = std::filesystem;

inline void write_text(const fs::path& path, std::string_view text) {
  FileWriter(path).write(text);
}

inline std::string replaced(std::string text, std::string_view old, std::string_view now) {
  for (size_t at = 0; (at = text.find(old, at)) != std::string::npos; at += now.size())
    text.replace(at, old.size(), now);
  return text;
}

// The config of a run that writes a model of one layer as it is before the first step, of those
// texts by bytes.
inline std::string initial_model(std::string_view family, int64_t context) {
  return str(R"(name = "initial"
[model]
family = ")",
             family, R"("
layers = 1
heads = 2
width = 32
hidden = 32
context = )",
             context, R"(
[data]
train = ["@/text-*.txt"]
validation = 0
tokenizer = "byte"
[train]
steps = 0
batch = 2
micro_batch = 2
sample_every = 0
)");
}

// A directory with text-0.txt … text-15.txt, empty.txt and a token shard without description.
class ConfigFiles : public testing::Test {
 protected:
  ConfigFiles() {
    for (int i = 0; i < 16; ++i)
      write_text(dir_.path() / str("text-", i, ".txt"),
                 "Some sixty-four bytes of quite ordinary text, in each of them.\n");
    write_text(dir_.path() / "empty.txt", "");
    write_text(dir_.path() / "bare.bin", std::string(400, '\0'));
  }

  fs::path write_config(std::string text) {
    auto path = dir_.path() / "my.toml";
    write_text(path, replaced(std::move(text), "@", dir_.path().string()));
    return path;
  }

  TemporaryDirectory dir_;
};

}  // namespace anneal
