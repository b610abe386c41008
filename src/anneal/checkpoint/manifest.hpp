#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace anneal {

// Inside the room: the manifest, written last, that makes a folder a complete checkpoint.

inline constexpr std::string_view model_file_name = "model.safetensors";
inline constexpr std::string_view state_file_name = "anneal_state/state.safetensors";
inline constexpr std::string_view manifest_file_name = "anneal_state/manifest.json";

struct ManifestFile {
  std::string name;  // relative to the checkpoint's folder, with /
  int64_t bytes = 0;
  std::string hash;  // ContentHash::hex()
  bool operator==(const ManifestFile&) const = default;
};

struct Manifest {
  int64_t step = 0;
  std::optional<double> validation_loss;
  std::vector<ManifestFile> files;

  // Bytes of all files together.
  int64_t bytes() const;
  bool operator==(const Manifest&) const = default;
};

// The manifest as JSON, with a checksum of itself.
std::string manifest_text(const Manifest& manifest);

// Throws FormatError unless `text` is, to the byte, what manifest_text makes of some manifest that
// names at least model and state, each file once, none outside the checkpoint's folder, and whose
// sizes are possible.
Manifest parse_manifest(std::string_view text, const std::string& where);

// Whether `name` is a relative path that stays inside its folder: "a.json", "anneal_state/b.json".
bool is_name_inside(std::string_view name);

}  // namespace anneal
