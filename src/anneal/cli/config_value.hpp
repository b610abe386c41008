#pragma once

#include <string>

#include "anneal/cli/schema.hpp"

namespace anneal {

// Head of a message about a key: "[my.toml:12: model.layers] ".
std::string message_head(std::string_view where, std::string_view key);

// "an integer, 1 ≤ x ≤ 65536", 'one of "sgd", "adam", "adamw"', …
std::string expected_text(const Key& key);

// Set one key from a value of the given type. They throw UsageError, at `where`, when the key is of
// another type, or does not accept the value.
void assign(const Key& key, RunConfig& config, int64_t value, const std::string& where);
void assign(const Key& key, RunConfig& config, double value, const std::string& where);
void assign(const Key& key, RunConfig& config, bool value, const std::string& where);
void assign(const Key& key, RunConfig& config, const std::string& value, const std::string& where);
void assign(const Key& key, RunConfig& config, const std::vector<std::string>& value,
            const std::string& where);

// Throws UsageError: the key's value is of a type that no key has.
[[noreturn]] void refuse_type(const Key& key, std::string_view got, const std::string& where);

// Throws UsageError: there is no such key, or no such section, with what may have been meant.
[[noreturn]] void refuse_unknown_key(std::string_view section, std::string_view name,
                                     const std::string& where);
[[noreturn]] void refuse_unknown_section(std::string_view name, const std::string& where);

}  // namespace anneal
