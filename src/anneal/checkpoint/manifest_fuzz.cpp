#include <nlohmann/json.hpp>

#include "anneal/base/error.hpp"
#include "anneal/base/hash.hpp"
#include "anneal/checkpoint/manifest.hpp"

namespace {

void check(std::string_view text) {
  using namespace anneal;
  try {
    Manifest manifest = parse_manifest(text, "fuzz");
    if (manifest.bytes() < 0 || manifest.step < 0 || manifest_text(manifest) != text)
      __builtin_trap();
  } catch (const FormatError&) {
  }
}

}  // namespace

// Any text is either refused with a FormatError or the exact text of a manifest. What nobody could
// guess, the manifest's checksum of itself, is added to whatever is JSON.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  check(text);
  // The depth is limited because dump() recurses; parse_manifest itself must take any.
  auto limit = [](int depth, nlohmann::ordered_json::parse_event_t, nlohmann::ordered_json&) {
    return depth < 64;
  };
  auto json = nlohmann::ordered_json::parse(text, limit, false);
  if (!json.is_object()) return 0;
  json.erase("checksum");
  try {
    std::string content = json.dump(2);
    anneal::ContentHash hash;
    hash.update(content.data(), content.size());
    json["checksum"] = hash.hex();
    check(json.dump(2) + "\n");
  } catch (const nlohmann::ordered_json::exception&) {  // text that is not UTF-8
  }
  return 0;
}
