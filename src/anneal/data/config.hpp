#pragma once

#include <string>
#include <vector>

namespace anneal {

struct DataConfig {
  std::vector<std::string> train;  // text, JSONL or token shards; globs, sorted bytewise
  double validation_fraction = 0;  // of the documents; used when validation_files is empty
  std::vector<std::string> validation_files;
  std::string tokenizer = "bpe:4096";  // bpe:N | byte | a tokenizer.json | a model directory
  bool shuffle = true;
  bool prefetch = true;            // read the next batch while a step runs
  bool isolate_documents = false;  // tokens attend to their own document only
  std::string dtype;               // of a bare .bin: uint16 | uint32
  bool operator==(const DataConfig&) const = default;
};

}  // namespace anneal
