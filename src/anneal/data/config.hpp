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
  bool prefetch = true;  // read the next batch while a step runs
  // stream: all documents one after the other, cut every context tokens; samples: each line of
  // JSONL whole, several in a sequence, loss on what is to be learned of it
  std::string packing = "stream";
  bool isolate_documents = false;  // tokens attend to their own document only
  std::string dtype;               // of a bare .bin: uint16 | uint32
  bool has_samples() const { return packing == "samples"; }
  bool isolates() const { return isolate_documents || has_samples(); }
  bool operator==(const DataConfig&) const = default;
};

}  // namespace anneal
