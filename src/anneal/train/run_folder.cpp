#include "anneal/train/run_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <cerrno>

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

RunLock::RunLock(const RunFolder& folder)
    : fd_(::open(folder.root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (fd_ < 0 || ::flock(fd_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  ::close(fd_);
  throw UsageError(str("[", folder.root.string(),
                       "] another process trains in this folder (wait for it, stop it, or "
                       "choose another one with --out)"));
}

RunLock::~RunLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace anneal
