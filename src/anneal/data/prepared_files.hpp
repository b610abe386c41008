#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace anneal {

// The files that prepare_data keeps in a directory, and the note prepared.json that says what they
// were made from. The note is written last, so without it the files count for nothing.
struct PreparedFiles {
  std::filesystem::path directory;

  std::filesystem::path train() const { return directory / "train.bin"; }
  std::filesystem::path validation() const { return directory / "validation.bin"; }
  std::filesystem::path tokenizer() const { return directory / "tokenizer.json"; }
  std::filesystem::path note() const { return directory / "prepared.json"; }

  // Whether the note is there, names `inputs`, and every file that it lists is what it was: the
  // same size, and the same modification time or else the same checksum.
  bool match(const std::string& inputs) const;

  // Removes the note, and with it all that it vouches for.
  void forget() const;

  // Writes the note about the files that exist now.
  void remember(const std::string& inputs) const;
};

// Held while a process prepares a directory; others wait. `on_wait` is called when there is need to
// wait and whenever a signal interrupts it; it may throw.
class DirectoryLock {
 public:
  DirectoryLock(const std::filesystem::path& directory, const std::function<void()>& on_wait);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace anneal
