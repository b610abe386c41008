#include "anneal/data/sample_writer.hpp"

#include <algorithm>
#include <cstdio>

#include "anneal/base/error.hpp"

namespace anneal {

SampleWriter::SampleWriter(ShardWriter& shard, int64_t context, int32_t padding)
    : shard_(shard),
      packer_(context, padding, [this](const SamplePacker::Sequence& s) { write(s); }),
      context_(context),
      padding_(padding) {
  shard_.set_packed(context);
}

void SampleWriter::add(std::span<const int32_t> tokens, std::span<const uint8_t> supervised) {
  longest_ = std::max(longest_, std::ssize(tokens));
  if (!packer_.add(tokens, supervised)) {
    ++left_out_;
    return;
  }
  ++samples_;
  tokens_ += std::ssize(tokens);
  supervised_ += std::count(supervised.begin() + 1, supervised.end(), uint8_t{1});
}

void SampleWriter::write(const SamplePacker::Sequence& sequence) {
  ++sequences_;
  for (size_t i = 0; i < sequence.starts.size(); ++i) {
    auto begin = static_cast<size_t>(sequence.starts[i]);
    size_t end = i + 1 < sequence.starts.size() ? static_cast<size_t>(sequence.starts[i + 1])
                                                : sequence.tokens.size();
    shard_.begin_document();
    shard_.append(std::span(sequence.tokens).subspan(begin, end - begin),
                  std::span(sequence.supervised).subspan(begin, end - begin));
  }
}

void SampleWriter::finish() {
  packer_.finish();
  constexpr uint8_t ignored = 0;
  shard_.begin_document();
  shard_.append({&padding_, 1}, {&ignored, 1});
}

std::string SampleWriter::summary() const {
  auto percent = [](int64_t part, int64_t whole) {
    char text[32];
    double value = whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0;
    std::snprintf(text, sizeof text, "%.1f %%", value);
    return std::string(text);
  };
  return str(samples_, " samples in ", sequences_, " sequences of ", context_,
             " tokens: ", percent(tokens_, sequences_ * context_), " filled, ",
             percent(supervised_, tokens_), " of the tokens count");
}

}  // namespace anneal
