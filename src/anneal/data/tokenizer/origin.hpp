#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/data/byte_span.hpp"

namespace anneal::tokenizing {

using Place = ByteSpan;

// Which bytes of a text each byte of a changed copy comes from.
class Origin {
 public:
  // Of the text itself, which begins at `base` of a larger one.
  explicit Origin(size_t base) : base_(base) {}
  // Of a copy with each space replaced by ▁, and perhaps spaces or ▁ put in or characters left out.
  // Nothing if it is no such copy.
  static std::optional<Origin> aligned(std::string_view text, std::string_view copy);
  // Of change(text), where changing it piece by piece, cut before ASCII characters, is the same:
  // all that comes of a piece that changes comes from the whole piece.
  static std::optional<Origin> by_pieces(
      std::string_view text, std::string_view copy,
      const std::function<std::string(std::string_view)>& change);

  // Where the bytes `copy` of the copy come from.
  Place of(Place copy) const;
  // The origin of a copy of the copy.
  Origin then(const Origin& next) const;

 private:
  using Bytes = std::vector<Place>;
  Origin(size_t base, Bytes bytes)
      : base_(base), bytes_(std::make_shared<const Bytes>(std::move(bytes))) {}

  size_t base_ = 0;                     // in the text, or in bytes_
  std::shared_ptr<const Bytes> bytes_;  // of each byte of the copy, if it is changed
};

// The bytes of `word` that each of the tokens that it became stands for. Tokens between the first
// and the last one that is unknown stand for all that others leave. `text` is what a token reads.
std::vector<Place> places_in_word(std::string_view word, std::span<const int32_t> ids,
                                  const std::function<std::string_view(int32_t)>& text);

}  // namespace anneal::tokenizing
