#include "anneal/data/tokenizer/origin.hpp"

#include <algorithm>

namespace anneal::tokenizing {
namespace {

constexpr std::string_view kMark = "▁";

size_t character_end(std::string_view text, size_t at) {
  size_t end = at + 1;
  while (end < text.size() && (text[end] & 0xC0) == 0x80) ++end;
  return end;
}

}  // namespace

std::optional<Origin> Origin::aligned(std::string_view text, std::string_view copy) {
  Bytes bytes;
  size_t at = 0;
  for (size_t begin = 0, end; begin < copy.size(); begin = end) {
    end = character_end(copy, begin);
    std::string_view c = copy.substr(begin, end - begin);
    bool blank = c == " " || c == kMark;
    auto same = [&](size_t i) {
      if (c == kMark && i < text.size() && text[i] == ' ') return size_t{1};
      return text.substr(i).starts_with(c) ? c.size() : size_t{0};
    };
    size_t from = at, size = same(from);
    while (size == 0 && !blank && from < text.size()) size = same(from = character_end(text, from));
    if (size == 0 && !blank) return std::nullopt;
    if (size > 0) at = from;
    for (size_t i = 0; i < c.size(); ++i) {
      bool bytewise = size == c.size();
      bytes.push_back(bytewise ? Place{at + i, at + i + 1} : Place{at, at + size});
    }
    at += size;
  }
  return Origin(0, std::move(bytes));
}

std::optional<Origin> Origin::by_pieces(
    std::string_view text, std::string_view copy,
    const std::function<std::string(std::string_view)>& change) {
  Bytes bytes;
  std::string whole;
  for (size_t begin = 0, end; begin < text.size(); begin = end) {
    end = begin + 1;
    while (end < text.size() && (text[end] & 0x80)) ++end;
    std::string_view piece = text.substr(begin, end - begin);
    std::string changed = change(piece);
    bool same = changed == piece;
    for (size_t i = 0; i < changed.size(); ++i)
      bytes.push_back(same ? Place{begin + i, begin + i + 1} : Place{begin, end});
    whole += changed;
  }
  if (whole != copy) return std::nullopt;
  return Origin(0, std::move(bytes));
}

Place Origin::of(Place copy) const {
  Place at{base_ + copy.begin, base_ + copy.end};
  if (!bytes_) return at;
  if (bytes_->empty()) return {};
  size_t begin = (*bytes_)[std::min(at.begin, bytes_->size() - 1)].begin;
  size_t end = at.end > at.begin ? (*bytes_)[at.end - 1].end : begin;
  return {begin, std::max(begin, end)};
}

Origin Origin::then(const Origin& next) const {
  if (!next.bytes_) {
    Origin origin = *this;
    origin.base_ += next.base_;
    return origin;
  }
  Bytes bytes = *next.bytes_;
  for (Place& place : bytes) place = of(place);
  return Origin(next.base_, std::move(bytes));
}

std::vector<Place> places_in_word(std::string_view word, std::span<const int32_t> ids,
                                  const std::function<std::string_view(int32_t)>& text) {
  auto bytes_of = [&](int32_t id) {
    std::string_view token = text(id);
    // <0xNN>, unless the word spells that.
    return token.size() == 6 && token.starts_with("<0x") ? size_t{1} : token.size();
  };
  auto reads = [&](int32_t id, std::string_view there) {
    std::string_view token = text(id);
    return token.size() == 6 && token.starts_with("<0x") ? true : there == token;
  };
  std::vector<Place> places(ids.size());
  size_t first = 0, last = ids.size(), begin = 0, end = word.size();
  for (; first < last; ++first) {
    size_t size = bytes_of(ids[first]);
    if (size > end - begin || !reads(ids[first], word.substr(begin, size))) break;
    places[first] = {begin, begin + size};
    begin += size;
  }
  for (; last > first; --last) {
    size_t size = bytes_of(ids[last - 1]);
    if (size > end - begin || !reads(ids[last - 1], word.substr(end - size, size))) break;
    places[last - 1] = {end - size, end};
    end -= size;
  }
  for (size_t i = first; i < last; ++i) places[i] = {begin, end};
  return places;
}

}  // namespace anneal::tokenizing
