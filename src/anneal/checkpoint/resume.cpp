#include "anneal/checkpoint/resume.hpp"

#include <algorithm>
#include <system_error>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/base/log.hpp"
#include "anneal/checkpoint/adapter_config.hpp"
#include "anneal/checkpoint/folders.hpp"
#include "anneal/checkpoint/manifest.hpp"
#include "anneal/checkpoint/model_weights.hpp"

namespace anneal {
namespace fs = std::filesystem;
namespace {

constexpr int64_t max_manifest_bytes = 16 << 20;
constexpr int64_t max_text_bytes = int64_t{1} << 30;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

// The manifest of the checkpoint in `dir`, all files being there with their sizes.
Manifest checked_manifest(const fs::path& dir) {
  auto path = dir / manifest_file_name;
  if (!is_file(path))
    throw FormatError(str("[", path.string(), "] is missing: the save was cut off"));
  auto manifest = parse_manifest(read_file(path, max_manifest_bytes), path.string());
  for (const auto& file : manifest.files) {
    auto file_path = dir / file.name;
    if (!is_file(file_path)) throw FormatError(str("[", file_path.string(), "] is missing"));
    std::error_code error;
    auto size = fs::file_size(file_path, error);
    if (error) throw Error(str("[", file_path.string(), "] cannot read: ", error.message()));
    if (size != static_cast<uintmax_t>(file.bytes))
      throw FormatError(
          str("[", file_path.string(), "] is ", size, " bytes, the manifest says ", file.bytes));
  }
  return manifest;
}

CheckpointInfo quick_look(const StepFolder& folder) {
  CheckpointInfo info;
  info.dir = folder.path;
  info.step = folder.step;
  try {
    auto manifest = checked_manifest(folder.path);
    info.validation_loss = manifest.validation_loss;
    info.bytes = manifest.bytes();
    if (manifest.step != folder.step)
      info.problem =
          str("[", folder.path.string(), "] its manifest is that of step ", manifest.step);
  } catch (const Error& e) {
    info.problem = e.what();
  }
  return info;
}

fs::path newest_in(const fs::path& checkpoints, const fs::path& named_by_user) {
  std::vector<std::string> skipped;
  if (auto newest = newest_valid_checkpoint(checkpoints, &skipped)) {
    for (const auto& reason : skipped) log_warning("a checkpoint is passed over: " + reason);
    return newest->dir;
  }
  std::string reasons;
  for (const auto& reason : skipped) reasons += "\n  " + reason;
  throw UsageError(str("[", named_by_user.string(), "] has no usable checkpoint",
                       reasons.empty() ? " yet" : ":", reasons));
}

}  // namespace

std::vector<CheckpointInfo> list_checkpoints(const fs::path& dir) {
  std::vector<CheckpointInfo> infos;
  for (const auto& folder : step_folders(dir)) infos.push_back(quick_look(folder));
  return infos;
}

std::string verify_checkpoint(const fs::path& dir) {
  try {
    auto manifest = checked_manifest(dir);
    std::vector<std::byte> buffer(1 << 20);
    for (const auto& file : manifest.files) {
      auto path = dir / file.name;
      if (hash_file(path, buffer) != file.hash)
        return str("[", path.string(), "] its content does not match the manifest's checksum");
    }
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

std::optional<CheckpointInfo> newest_valid_checkpoint(const fs::path& dir,
                                                      std::vector<std::string>* skipped_reasons) {
  auto all = list_checkpoints(dir);
  std::reverse(all.begin(), all.end());
  for (auto& info : all) {
    if (info.problem.empty()) info.problem = verify_checkpoint(info.dir);
    if (info.problem.empty()) return info;
    if (skipped_reasons) skipped_reasons->push_back(info.problem);
  }
  return {};
}

SafetensorsFile CheckpointReader::model() const { return SafetensorsFile(dir_ / model_file_name); }
SafetensorsFile CheckpointReader::state() const { return SafetensorsFile(dir_ / state_file_name); }
bool CheckpointReader::has(std::string_view name) const { return is_file(dir_ / name); }
std::string CheckpointReader::text(std::string_view name) const {
  return read_file(dir_ / name, max_text_bytes);
}

bool holds_adapters(const fs::path& dir) {
  return is_file(dir / adapter_config_name) && is_file(dir / adapter_file_name);
}

fs::path resolve_model_directory(const fs::path& path) {
  constexpr auto expected =
      "expected a run's folder, a checkpoint or a Hugging Face model directory";
  std::error_code ignored;
  if (!fs::is_directory(path, ignored))
    throw UsageError(str("[", path.string(), "] ",
                         fs::exists(path, ignored) ? "is not a folder" : "is not there", ": ",
                         expected));
  bool model = is_file(path / "config.json") &&
               (is_file(path / model_file_name) || is_file(path / weight_index_name));
  if (model || holds_adapters(path)) {
    if (is_file(path / manifest_file_name))
      if (auto problem = verify_checkpoint(path); !problem.empty()) throw UsageError(problem);
    return path;
  }
  if (fs::is_directory(path / "checkpoints", ignored)) return newest_in(path / "checkpoints", path);
  if (!step_folders(path).empty()) return newest_in(path, path);

  std::string_view missing = is_file(path / "config.json") ? model_file_name : "config.json";
  std::string_view hint;
  if (is_file(path / "pytorch_model.bin"))
    hint = "; pytorch_model.bin is not read (convert it to model.safetensors)";
  throw UsageError(str("[", path.string(), "] has no ", missing, hint.empty() ? ": " : "",
                       hint.empty() ? expected : hint));
}

}  // namespace anneal
