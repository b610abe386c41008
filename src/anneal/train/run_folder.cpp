#include "anneal/train/run_folder.hpp"

#include "anneal/base/error.hpp"
#include "anneal/base/log.hpp"

namespace anneal {

void RunFolder::check_free(bool resume) const {
  std::error_code ignored;
  if (std::filesystem::exists(root, ignored) && !std::filesystem::is_directory(root, ignored))
    throw UsageError(str("[--out] ", root.string(), " is not a folder"));
  if (resume || list_checkpoints(checkpoints()).empty()) return;
  throw UsageError(str("[--out] ", root.string(),
                       " already holds checkpoints; nothing was touched (add --resume to continue "
                       "that run, or choose another folder with --out)"));
}

std::optional<CheckpointInfo> RunFolder::checkpoint_to_resume() const {
  if (list_checkpoints(checkpoints()).empty()) return std::nullopt;
  std::vector<std::string> skipped;
  auto newest = newest_valid_checkpoint(checkpoints(), &skipped);
  for (const auto& reason : skipped) log_warning("a checkpoint is passed over: " + reason);
  if (!newest)
    throw UsageError(
        str("[", checkpoints().string(), "] holds no valid checkpoint to resume from"));
  return newest;
}

}  // namespace anneal
