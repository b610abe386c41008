#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "anneal/checkpoint/checkpoint_writer.hpp"

namespace anneal {

// For tests: a checkpoint all of whose content follows from its step (and a variant of it).
struct SampleContent {
  explicit SampleContent(int64_t step, int64_t variant = 0);
  SampleContent(const SampleContent&) = delete;
  SampleContent& operator=(const SampleContent&) = delete;

  std::vector<float> weights;
  std::vector<float> moments;
  std::vector<int64_t> position;
  CheckpointContent content;  // views into the above
};

// "" if the checkpoint in `dir` holds exactly SampleContent(step, variant), else what differs.
std::string difference_from_sample(const std::filesystem::path& dir, int64_t step,
                                   int64_t variant = 0);

// The names of what lies in `dir`, sorted and joined by spaces.
std::string names_in(const std::filesystem::path& dir);

}  // namespace anneal
