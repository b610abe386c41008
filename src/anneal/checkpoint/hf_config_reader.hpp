#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "anneal/base/error.hpp"
#include "anneal/model/config.hpp"

namespace anneal {

struct ConfigDocument;  // the parsed object

// An object of a config.json, whose members are asked for by name and type. A member that is null
// counts as absent, as it does in transformers. What is not as asked for is a FormatError that
// names `where`, the key and the value.
class ConfigReader {
 public:
  ConfigReader(std::string_view text, std::string where);

  // The object that a member is, named behind ours in messages.
  ConfigReader inside(const char* key) const;

  bool has(const char* key) const;
  // A count from `least` to `most`; without a default it must be there.
  int64_t size(const char* key, std::optional<int64_t> otherwise = {},
               int64_t most = std::numeric_limits<int32_t>::max(), int64_t least = 1) const;
  double number(const char* key, double otherwise) const;  // not negative
  double rate(const char* key, double otherwise) const;    // a probability of dropout
  bool flag(const char* key, bool otherwise) const;
  std::string text(const char* key, const std::string& otherwise) const;
  std::optional<int64_t> id(const char* key) const;
  std::vector<int64_t> id_list(const char* key) const;  // one id or a list of them

  [[noreturn]] void expected(const char* key, std::string_view what) const;
  [[noreturn]] void inconsistent(std::string_view message) const;

  // Refuses a value, or its absence, that is right for the original and that Anneal's models don't
  // have: UsageError.
  [[noreturn]] void refuse(const char* key, std::string_view supported) const;
  void require_flag(const char* key, bool value, std::string_view supported) const;
  void require_absent(const char* key, std::string_view supported) const;

  const std::string& where() const { return where_; }
  const ConfigDocument& document() const { return *document_; }

 private:
  ConfigReader(std::shared_ptr<const ConfigDocument> document, std::string where)
      : document_(std::move(document)), where_(std::move(where)) {}

  std::shared_ptr<const ConfigDocument> document_;
  std::string where_;
};

// Layers at most: a program has nodes for each.
inline constexpr int64_t most_layers = 65536;

// The config.json of HazyResearch/based, whose layers have mixers. Throws as ConfigReader does.
ModelConfig based_from_hf(const ConfigReader& in);

}  // namespace anneal
