#include "anneal/data/sample_packer.hpp"

#include <algorithm>
#include <utility>

#include "anneal/base/error.hpp"

namespace anneal {

SamplePacker::SamplePacker(int64_t context, int32_t padding, Consumer consume)
    : context_(static_cast<size_t>(context)), padding_(padding), consume_(std::move(consume)) {
  ANNEAL_ASSERT(context > 0);
}

bool SamplePacker::add(std::span<const int32_t> tokens, std::span<const uint8_t> supervised) {
  ANNEAL_ASSERT(!tokens.empty() && tokens.size() == supervised.size());
  if (tokens.size() > context_) return false;
  auto room = [&](const Sequence& s) { return context_ - s.tokens.size(); };
  auto best = open_.end();
  for (auto s = open_.begin(); s != open_.end(); ++s)
    if (room(*s) >= tokens.size() && (best == open_.end() || room(*s) < room(*best))) best = s;
  if (best == open_.end()) {
    if (open_.size() == most_open) {
      auto fullest =
          std::min_element(open_.begin(), open_.end(),
                           [&](const Sequence& a, const Sequence& b) { return room(a) < room(b); });
      close(static_cast<size_t>(fullest - open_.begin()));
    }
    open_.emplace_back();
    best = open_.end() - 1;
  }
  best->starts.push_back(static_cast<int64_t>(best->tokens.size()));
  best->tokens.insert(best->tokens.end(), tokens.begin(), tokens.end());
  best->supervised.push_back(0);  // nothing of its own comes before it
  best->supervised.insert(best->supervised.end(), supervised.begin() + 1, supervised.end());
  if (room(*best) == 0) close(static_cast<size_t>(best - open_.begin()));
  return true;
}

void SamplePacker::close(size_t index) {
  Sequence sequence = std::move(open_[index]);
  open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
  if (sequence.tokens.size() < context_)
    sequence.starts.push_back(static_cast<int64_t>(sequence.tokens.size()));
  sequence.tokens.resize(context_, padding_);
  sequence.supervised.resize(context_, 0);
  consume_(sequence);
}

void SamplePacker::finish() {
  while (!open_.empty()) close(0);
}

}  // namespace anneal
