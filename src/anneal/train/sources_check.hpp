#pragma once

#include <filesystem>
#include <string>

#include "anneal/data/prepare.hpp"
#include "anneal/train/model_files.hpp"

namespace anneal {

// What a run was made from may change under the same names. These refuse, by UsageError naming the
// key, what would go on as if nothing had happened.

// Every row of an embedding means a token of the tokenizer that it was trained with: that of
// `origin`, which model.init names.
void check_same_tokenizer(const ModelDirectory& origin, const PreparedData& data);

// The data, its tokenizer and the weights below adapters (`base_checksum`, "" without adapters) are
// those that the checkpoint was made with.
void check_same_sources(const std::filesystem::path& checkpoint, const RunState& state,
                        const PreparedData& data, const std::string& base_checksum);

}  // namespace anneal
