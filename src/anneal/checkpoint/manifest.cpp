#include "anneal/checkpoint/manifest.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "anneal/base/error.hpp"
#include "anneal/base/hash.hpp"
#include "anneal/checkpoint/adapter_config.hpp"

namespace anneal {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view format_name = "anneal-checkpoint";
constexpr int format_version = 1;

void check_files(const std::vector<ManifestFile>& files, const std::string& where) {
  std::set<std::string_view> names;
  int64_t bytes = 0;
  for (const auto& file : files) {
    if (!is_name_inside(file.name))
      throw FormatError(str("[", where, "] names a file outside the checkpoint: ", file.name));
    if (!names.insert(file.name).second)
      throw FormatError(str("[", where, "] lists ", file.name, " twice"));
    if (file.bytes < 0 || __builtin_add_overflow(bytes, file.bytes, &bytes))
      throw FormatError(
          str("[", where, "] gives ", file.name, " the impossible size of ", file.bytes, " bytes"));
  }
}

}  // namespace

int64_t Manifest::bytes() const {
  int64_t sum = 0;
  for (const auto& file : files) sum += file.bytes;
  return sum;
}

std::string manifest_text(const Manifest& manifest) {
  Json json;
  json["format"] = format_name;
  json["version"] = format_version;
  json["step"] = manifest.step;
  json["validation_loss"] = nullptr;
  if (manifest.validation_loss) json["validation_loss"] = *manifest.validation_loss;
  json["files"] = Json::array();
  for (const auto& file : manifest.files)
    json["files"].push_back({{"name", file.name}, {"bytes", file.bytes}, {"xxh3_128", file.hash}});
  std::string content = json.dump(2);
  ContentHash hash;
  hash.update(content.data(), content.size());
  json["checksum"] = hash.hex();
  return json.dump(2) + "\n";
}

Manifest parse_manifest(std::string_view text, const std::string& where) {
  Manifest manifest;
  try {
    auto json = Json::parse(text);
    if (json.at("format") != format_name || json.at("version") != format_version)
      throw FormatError(str("[", where, "] expected format ", format_name, ", version ",
                            format_version, " (was it written by another version of Anneal?)"));
    json.at("step").get_to(manifest.step);
    if (manifest.step < 0) throw FormatError(str("[", where, "] has the step ", manifest.step));
    if (const auto& loss = json.at("validation_loss"); !loss.is_null())
      manifest.validation_loss = loss.get<double>();
    for (const auto& file : json.at("files"))
      manifest.files.push_back({file.at("name"), file.at("bytes"), file.at("xxh3_128")});
  } catch (const Json::exception& e) {
    throw FormatError(str("[", where, "] is not a checkpoint's manifest: ", e.what()));
  }
  std::string again;
  try {
    again = manifest_text(manifest);
  } catch (const Json::exception&) {  // text that is not UTF-8
  }
  if (again != text)
    throw FormatError(str("[", where, "] does not match its own checksum: it was altered"));

  auto lists = [&](std::string_view name) {
    return std::any_of(manifest.files.begin(), manifest.files.end(),
                       [&](const auto& file) { return file.name == name; });
  };
  check_files(manifest.files, where);
  if (!(lists(model_file_name) || lists(adapter_file_name)) || !lists(state_file_name))
    throw FormatError(str("[", where, "] does not list ", model_file_name, " or ",
                          adapter_file_name, ", and ", state_file_name));
  return manifest;
}

bool is_name_inside(std::string_view name) {
  if (name.find('\0') != name.npos || name.find('\\') != name.npos) return false;
  while (true) {
    auto slash = name.find('/');
    auto part = name.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == name.npos) return true;
    name.remove_prefix(slash + 1);
  }
}

}  // namespace anneal
