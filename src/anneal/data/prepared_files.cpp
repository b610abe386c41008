#include "anneal/data/prepared_files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/base/hash.hpp"
#include "anneal/data/token_shard.hpp"

namespace anneal {
namespace {

constexpr int64_t kLargestNote = 1 << 20;

struct FileState {
  int64_t bytes = 0;
  int64_t modified_ns = 0;
};

bool state_of(const std::filesystem::path& path, FileState& state) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  state = {info.st_size, int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
  return true;
}

std::string checksum(const std::filesystem::path& path) {
  MappedFile file(path);
  ContentHash hash;
  hash.update(file.bytes().data(), file.bytes().size());
  return hash.hex();
}

bool file_matches(const std::filesystem::path& path, const nlohmann::json& noted) {
  FileState state;
  if (!state_of(path, state) || state.bytes != noted.at("bytes").get<int64_t>()) return false;
  return state.modified_ns == noted.at("modified_ns").get<int64_t>() ||
         checksum(path) == noted.at("checksum").get<std::string>();
}

}  // namespace

bool PreparedFiles::match(const std::string& inputs) const {
  try {
    auto note = nlohmann::json::parse(read_file(this->note(), kLargestNote));
    if (note.at("inputs").get<std::string>() != inputs) return false;
    for (const auto& [name, noted] : note.at("files").items()) {
      if (name.find('/') != std::string::npos) return false;
      if (!file_matches(directory / name, noted)) return false;
    }
    return note.at("files").contains("train.bin");
  } catch (const nlohmann::json::exception&) {
    return false;
  } catch (const Error&) {
    return false;
  }
}

void PreparedFiles::forget() const {
  std::error_code ignored;
  std::filesystem::remove(note(), ignored);
}

void PreparedFiles::remember(const std::string& inputs) const {
  nlohmann::json files = nlohmann::json::object();
  for (const auto& path : {train(), sidecar_path(train()), mask_path(train()), validation(),
                           sidecar_path(validation()), mask_path(validation()), tokenizer()}) {
    FileState state;
    if (!state_of(path, state)) continue;
    files[path.filename().string()] = {
        {"bytes", state.bytes}, {"modified_ns", state.modified_ns}, {"checksum", checksum(path)}};
  }
  nlohmann::json note = {{"inputs", inputs}, {"files", files}};
  write_file_atomically(this->note(), note.dump(1) + "\n");
}

DirectoryLock::DirectoryLock(const std::filesystem::path& directory,
                             const std::function<void()>& on_wait) {
  auto path = directory / "prepare.lock";
  auto fail = [&] {
    throw Error(str("[", path.string(), "] cannot lock: ", std::strerror(errno)));
  };
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) fail();
  if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
  try {
    do {
      on_wait();
      if (::flock(fd_, LOCK_EX) == 0) return;
    } while (errno == EINTR);
    fail();
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

DirectoryLock::~DirectoryLock() { ::close(fd_); }

}  // namespace anneal
