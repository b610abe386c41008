#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace anneal {

// Inside the room: what saving and resuming do to folders. All failures throw Error.

// Folders whose names begin so are being written or removed; a killed run leaves them behind.
inline constexpr std::string_view temporary_prefix = ".tmp-";

// The old checkpoint of a step while a new one takes its place, on file systems that cannot
// exchange two names at once.
inline constexpr std::string_view replaced_prefix = ".replaced-";

// The step of a folder named exactly as checkpoint_folder_name names it.
std::optional<int64_t> step_of_folder_name(std::string_view name);

struct StepFolder {
  int64_t step;
  std::filesystem::path path;
};

// The folders of checkpoints below `dir` by increasing step, one for each step; none if `dir` is
// not there. Where only a replaced one is left, that is it.
std::vector<StepFolder> step_folders(const std::filesystem::path& dir);

// Removes what a killed run left in `dir` (a step of which only the replaced folder is left gets
// its name back).
void clear_leftovers(const std::filesystem::path& dir);

// Creates the folder and those above it, each synced into the one it lies in.
void make_folder(const std::filesystem::path& path);

// Removes `path` and all in it; nothing happens if it is not there.
void remove_tree(const std::filesystem::path& path);

// Gives the folder `from` the name `to`, which lies beside it, replacing what is there: at every
// moment one of the two has the name (or the old one its replaced name), also after a power
// failure.
void commit_folder(const std::filesystem::path& from, const std::filesystem::path& to);

// Removes a folder such that no part of it is ever seen under its name.
void remove_folder_atomically(const std::filesystem::path& path);

// Throws Error unless the file system of `dir` has that much space left.
void require_space(const std::filesystem::path& dir, int64_t bytes);

// The content hash of a file, read piece by piece through `buffer`.
std::string hash_file(const std::filesystem::path& path, std::span<std::byte> buffer);

}  // namespace anneal
