#include "anneal/data/inspect.hpp"

#include <algorithm>

#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer.hpp"

namespace anneal {
namespace {

// Control characters as C escapes, everything else as it is.
std::string escaped(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\\')
      out += "\\\\";
    else if (byte < 0x20 || byte == 0x7f)
      (out += "\\x") += {digits[byte >> 4], digits[byte & 15]};
    else
      out += c;
  }
  return out;
}

// At most `limit` bytes of `text` (0: all), cut between UTF-8 characters.
std::string shortened(std::string text, int64_t limit) {
  auto end = static_cast<size_t>(limit);
  if (limit <= 0 || text.size() <= end) return text;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

std::string row_text(std::span<const int32_t> ids, const Tokenizer* tokenizer) {
  if (tokenizer) return escaped(tokenizer->decode(ids));
  std::string out;
  for (int32_t id : ids) out += str(out.empty() ? "" : " ", id);
  return out;
}

// The text of a row in which not everything counts, by runs of tokens of one document that all
// count or all do not.
std::string marked_text(const Batch& batch, int64_t row, const Tokenizer* tokenizer, bool color) {
  auto ids = batch.token_rows(row, 1), targets = batch.target_rows(row, 1);
  auto positions = batch.position_rows(row, 1);
  std::string out;
  size_t begin = 0;
  while (begin < ids.size()) {
    bool counts = begin > 0 && targets[begin - 1] >= 0;
    size_t end = begin + 1;
    while (end < ids.size() && positions[end] != 0 && (targets[end - 1] >= 0) == counts) ++end;
    std::string run;
    auto text_of = [&](size_t i) {
      return tokenizer ? std::string(tokenizer->token_bytes(ids[i]))
                       : str(i > begin ? " " : "", ids[i]);
    };
    // Padding is one token again and again.
    auto same = [&](int32_t id) { return id == ids[begin]; };
    if (end - begin > 3 && std::all_of(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                                       ids.begin() + static_cast<std::ptrdiff_t>(end), same))
      run = str(text_of(begin), " × ", end - begin);
    else
      for (size_t i = begin; i < end; ++i) run += text_of(i);
    if (begin > 0 && positions[begin] == 0) out += color ? "\033[1;33m║\033[0m" : "║";
    if (color)
      out += str(counts ? "\033[32m" : "\033[2m", escaped(run), "\033[0m");
    else
      out += counts ? str("⟪", escaped(run), "⟫") : escaped(run);
    begin = end;
  }
  return out;
}

std::string row_boundaries(std::span<const int32_t> ids, const Tokenizer* tokenizer) {
  auto end = tokenizer ? tokenizer->end_of_text() : std::nullopt;
  if (!end) return "boundaries unknown";
  std::string places;
  int64_t count = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] != *end) continue;
    if (++count <= 8) places += str(count > 1 ? ", " : " at ", i);
  }
  if (count > 8) places += ", …";
  return str(count, count == 1 ? " document ends" : " documents end", places);
}

}  // namespace

std::string describe_batch(const Batch& batch, const Tokenizer* tokenizer,
                           const InspectOptions& options) {
  std::string out =
      str("step ", batch.step, ": ", batch.rows, " sequences of ", batch.context, " tokens, ",
          batch.valid_tokens, " of ", batch.rows * batch.context, " targets count\n",
          "global samples ", batch.first_sample, " to ", batch.first_sample + batch.rows - 1);
  if (options.epoch_samples > 0)
    out += str(", epoch ", batch.first_sample / options.epoch_samples, ", ", options.epoch_samples,
               " samples an epoch");
  out += "\n";
  int64_t shown = options.rows > 0 ? std::min(options.rows, batch.rows) : batch.rows;
  for (int64_t row = 0; row < shown; ++row) {
    auto ids = batch.token_rows(row, 1);
    auto targets = batch.target_rows(row, 1);
    int64_t sample = batch.samples[static_cast<size_t>(row)];
    if (sample < 0) {
      out += str("\nrow ", row, ": empty\n");
      continue;
    }
    int64_t begin = sample * batch.context;
    auto ignored = std::count(targets.begin(), targets.end(), -1);
    auto positions = batch.position_rows(row, 1);
    auto documents = std::count(positions.begin(), positions.end(), 0);
    bool marked = ignored > 0 || documents > 1;
    out += str(
        "\nrow ", row, ": sample ", sample, " (tokens ", begin, " to ", begin + batch.context - 1,
        "), ",
        documents > 1 ? str(documents, " documents, isolated") : row_boundaries(ids, tokenizer));
    if (ignored > 0) out += str(", ", ignored, " targets do not count");
    std::string text = marked ? marked_text(batch, row, tokenizer, options.color)
                              : shortened(row_text(ids, tokenizer), options.max_chars);
    out += str("\n  ", text, "\n");
    if (targets.back() >= 0) out += str("  then: ", row_text(targets.last(1), tokenizer), "\n");
  }
  if (shown < batch.rows) out += str("\n", batch.rows - shown, " more rows\n");
  return out;
}

}  // namespace anneal
