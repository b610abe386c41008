#pragma once

#include <string>

#include "anneal/train/config.hpp"

namespace anneal {

// The whole config as a commented TOML file that parses back to an equal RunConfig.
std::string to_toml(const RunConfig& config);

// 32 hexadecimal digits; equal exactly for equal configs (their documentation does not count).
std::string config_hash(const RunConfig& config);

// The reference of all keys in Markdown: docs/config.md.
std::string config_reference();

}  // namespace anneal
