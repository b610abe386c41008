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
