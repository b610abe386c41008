#pragma once

#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/data/shard_writer.hpp"

namespace anneal::testing {

// A temporary folder for the files of a test.
struct Folder {
  TemporaryDirectory directory;

  std::string path(const std::string& name) const { return (directory.path() / name).string(); }

  std::string write(const std::string& name, std::string_view content) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }

  // A shard of one document for each list of tokens.
  std::string shard(const std::string& name, const std::vector<std::vector<int32_t>>& documents,
                    int64_t vocab_size, const std::string& tokenizer_hash = "") const {
    ShardWriter writer(path(name), vocab_size, tokenizer_hash);
    for (const auto& tokens : documents) {
      writer.begin_document();
      writer.append(tokens);
    }
    writer.finish();
    return path(name);
  }

  // Little-endian tokens without a sidecar.
  template <class T>
  std::string bare(const std::string& name, const std::vector<T>& tokens) const {
    return write(name, {reinterpret_cast<const char*>(tokens.data()), tokens.size() * sizeof(T)});
  }
};

// The exit code and message of the Error that f throws; {-1, ""} when it throws none.
struct Failure {
  int code = -1;
  std::string message;
  bool names(std::string_view part) const { return message.find(part) != std::string::npos; }
};

template <class F>
Failure failure_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return {static_cast<int>(error.code()), error.what()};
  }
  return {};
}

}  // namespace anneal::testing
