#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "anneal/checkpoint/resume.hpp"

namespace anneal {

// The layout of a run: OUT/config.toml, metrics.jsonl, log.txt, data/, checkpoints/.
struct RunFolder {
  std::filesystem::path root;
  std::filesystem::path config() const { return root / "config.toml"; }
  std::filesystem::path metrics() const { return root / "metrics.jsonl"; }
  std::filesystem::path log() const { return root / "log.txt"; }
  std::filesystem::path data() const { return root / "data"; }
  std::filesystem::path checkpoints() const { return root / "checkpoints"; }

  // Throws UsageError if the folder already holds checkpoints and `resume` is off.
  void check_free(bool resume) const;
  // The newest valid checkpoint, logging why newer ones are passed over. None: there is no
  // checkpoint at all. Throws Error if there are checkpoints but none is valid.
  std::optional<CheckpointInfo> checkpoint_to_resume() const;
};

// Held while a run trains in its folder: two would tear each other's files. Throws UsageError where
// another process holds it. File systems that cannot lock are taken as they are.
class RunLock {
 public:
  explicit RunLock(const RunFolder& folder);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace anneal
