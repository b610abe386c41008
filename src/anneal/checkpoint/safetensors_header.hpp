#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/checkpoint/safetensors.hpp"

namespace anneal {

// Inside the room: the header of a safetensors file.

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // by increasing position
  SafetensorsMetadata metadata;
  size_t data_begin = 0;  // of the file
};

// The longest header the reference implementation reads.
inline constexpr uint64_t max_safetensors_header = 100'000'000;

// Reads and checks the header of a whole file; memory stays proportional to the header's length.
// Every entry lies inside the file, has a known dtype and the size that its shape says, and the
// entries fill the file without gap or overlap. Throws FormatError.
SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file,
                                           const std::string& where);

// What the format calls a dtype of ours.
std::string_view safetensors_name_of(DType dtype);

// Bytes an element of the format's dtype takes; 0 if there is no dtype of this name.
int64_t safetensors_element_size(std::string_view dtype);

// A name out of a file, fit for a message: quoted, cut to a line, without control characters.
std::string quoted_name(std::string_view name);

}  // namespace anneal
