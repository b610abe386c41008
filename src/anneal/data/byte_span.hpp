#pragma once

#include <cstddef>

namespace anneal {

// The bytes begin … end − 1 of a text; none where begin == end.
struct ByteSpan {
  size_t begin = 0;
  size_t end = 0;
  bool operator==(const ByteSpan&) const = default;
};

}  // namespace anneal
