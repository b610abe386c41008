#include "anneal/data/check.hpp"

#include <algorithm>
#include <ctime>

#include "anneal/base/error.hpp"
#include "anneal/data/chat_sample.hpp"
#include "anneal/data/documents.hpp"
#include "anneal/data/obtain_tokenizer.hpp"
#include "anneal/data/order.hpp"
#include "anneal/data/token_shard.hpp"
#include "anneal/data/tokenizer.hpp"

namespace anneal {
namespace {

using Format = DataSummary::Format;

Format format_of(SourceKind kind) {
  if (kind == SourceKind::shard) return Format::shards;
  return kind == SourceKind::bare_shard ? Format::bare_shards : Format::text;
}

// The one format of all files; mixing them is refused.
Format common_format(const std::vector<SourceFile>& files, std::string_view key) {
  const SourceFile& first = files.front();
  for (const SourceFile& file : files)
    if (format_of(file.kind) != format_of(first.kind))
      throw UsageError(str("[", key, "] ", first.path, " (", name_of(first.kind), ") and ",
                           file.path, " (", name_of(file.kind),
                           ") cannot be mixed (turn text into shards with `anneal data prepare`)"));
  return format_of(first.kind);
}

void require_content(const std::vector<SourceFile>& files, std::string_view key) {
  if (total_bytes(files) == 0)
    throw UsageError(str(
        "[", key, "] ", files.front().path,
        files.size() > 1 ? str(" and ", files.size() - 1, " more files are empty") : " is empty",
        ", expected text"));
}

// Parses the first document of each JSONL file: a wrong field name shows there.
void check_first_lines(const std::vector<SourceFile>& files, const DataSummary& data) {
  constexpr size_t most_files = 64;
  constexpr size_t longest = size_t{1} << 20;
  size_t checked = 0;
  for (const SourceFile& file : files) {
    if (file.kind != SourceKind::jsonl || file.bytes == 0) continue;
    if (++checked > most_files) return;
    PieceLimits limits;
    limits.target = size_t{1} << 16;
    limits.json_line = std::min(limits.json_line, longest);
    DocumentReader reader({file}, {}, limits);
    Piece piece;
    try {
      if (!reader.next(piece)) continue;
      if (data.samples) {
        const auto& chat = data.samples->chat;
        read_text_sample(piece.text, chat ? &*chat : nullptr, piece.path, piece.line);
      } else {
        json_text(piece.text, piece.path, piece.line);
      }
    } catch (const UsageError&) {
      // A first line too long for a quick look is read when the data is prepared.
      if (piece.path.empty()) continue;
      throw;
    }
  }
}

// Samples are lines of JSONL, for a tokenizer that is there.
void check_samples(const DataConfig& config, const DataRequirements& need, DataSummary& data) {
  if (!config.has_samples()) return;
  for (const auto* files : {&data.train, &data.validation})
    for (const SourceFile& file : *files)
      if (file.kind != SourceKind::jsonl)
        throw UsageError(str("[data.packing] samples are lines of .jsonl files, but ", file.path,
                             " is plain text (set data.packing to \"stream\")"));
  if (!data.tokenizer)
    throw UsageError(str("[data.tokenizer] \"", config.tokenizer,
                         "\" is trained on documents, which samples are not (name a model "
                         "directory or a tokenizer.json)"));
  try {
    data.samples = sample_format(config.tokenizer, *data.tokenizer, need.end_ids);
  } catch (const Error& error) {
    throw UsageError(str("[data.tokenizer] ", error.what()));
  }
  if (!data.samples->chat) return;
  // What a template says of today is the day of the data, so that the same data is always the same.
  int64_t newest = 0;
  for (const SourceFile& file : data.train) newest = std::max(newest, file.modified_ns);
  std::time_t seconds = newest / 1'000'000'000;
  std::tm day{};
  data.samples->chat->set_now(*::gmtime_r(&seconds, &day));
}

void check_packed(const DataConfig& config, const DataRequirements& need, const ShardInfo& info,
                  const std::string& path) {
  if (!config.has_samples() && info.packed > 0)
    throw UsageError(
        str("[data.packing] ", path, " holds samples (set data.packing to \"samples\")"));
  if (!config.has_samples()) return;
  if (info.packed == 0)
    throw UsageError(
        str("[data.packing] ", path, " holds no samples (set data.packing to \"stream\")"));
  if (need.context > 0 && info.packed != need.context)
    throw UsageError(str("[model.context] ", path, " holds samples in sequences of ", info.packed,
                         " tokens, not ", need.context,
                         " (prepare them again, or set "
                         "model.context to that)"));
}

void check_shards(const DataConfig& config, const DataRequirements& need, DataSummary& data) {
  data.tokens = 0;
  data.documents = 0;
  std::string hash;
  auto visit = [&](const std::vector<SourceFile>& files, bool training) {
    for (const SourceFile& file : files) {
      bool bare = file.kind == SourceKind::bare_shard;
      TokenShard shard =
          bare ? TokenShard::open_bare(file.path, token_width(config.dtype), need.vocab_size)
               : TokenShard::open(file.path);
      const ShardInfo& info = shard.info();
      constexpr int64_t quick_look = int64_t{1} << 20;
      if (bare) shard.check_tokens(quick_look);
      check_packed(config, need, info, file.path);
      if (data.vocab_size == 0) data.vocab_size = info.vocab_size, hash = info.tokenizer_hash;
      if (info.vocab_size != data.vocab_size || info.tokenizer_hash != hash)
        throw UsageError(str("[", training ? "data.train" : "data.validation", "] ", file.path,
                             " was made by another tokenizer than ", data.train.front().path,
                             " (prepare all shards with the same)"));
      if (!training) continue;
      data.tokens += info.count;
      if (info.documents == 0 && info.count > 0) data.documents = -1;
      if (data.documents >= 0) data.documents += info.documents;
    }
  };
  visit(data.train, true);
  visit(data.validation, false);
  if (data.tokenizer && !hash.empty() && hash != tokenizer_hash_text(*data.tokenizer))
    throw UsageError(str("[data.tokenizer] \"", config.tokenizer,
                         "\" is not the tokenizer that made ", data.train.front().path,
                         " (give the tokenizer.json that was written with it)"));
  if (data.tokenizer && data.tokenizer->vocab_size() > data.vocab_size)
    throw UsageError(str("[data.tokenizer] \"", config.tokenizer, "\" has ",
                         data.tokenizer->vocab_size(), " tokens, ", data.train.front().path,
                         " was made for ", data.vocab_size));
}

void check_tokenizer(const DataConfig& config, DataSummary& data) {
  if (data.format == Format::bare_shards) return;
  data.bpe_size = bpe_size(config.tokenizer);
  if (data.bpe_size == 0) {
    data.tokenizer = obtain_tokenizer(config, data, 0);
    data.vocab_size = data.format == Format::text ? data.tokenizer->vocab_size() : 0;
  } else if (data.format == Format::shards) {
    throw UsageError(str("[data.tokenizer] \"", config.tokenizer, "\" is trained on text, but ",
                         data.train.front().path,
                         " holds tokens (give the tokenizer.json that the shards were made with)"));
  } else {
    data.vocab_size = data.bpe_size;
  }
}

void check_vocabulary(const DataRequirements& need, const DataSummary& data) {
  if (need.vocab_size == 0 || need.vocab_size >= data.vocab_size) return;
  throw UsageError(str("[model.vocab_size] ", need.vocab_size, " is less than the ",
                       data.vocab_size, " tokens of the ",
                       data.format == Format::text ? "tokenizer" : "token shards",
                       " (leave model.vocab_size at 0 to take that)"));
}

void check_isolation(const DataConfig& config, const DataSummary& data) {
  if (!config.isolates() || data.format == Format::text) return;
  if (data.format == Format::bare_shards || data.documents < 0)
    throw UsageError(str("[data.isolate_documents] ", data.train.front().path,
                         " does not say where documents start (prepare it again from text, or set "
                         "data.isolate_documents to false)"));
}

void check_validation(const DataConfig& config, const DataRequirements& need,
                      const DataSummary& data) {
  double fraction = config.validation_fraction;
  if (!config.validation_files.empty() || fraction == 0) return;
  if (!(fraction > 0 && fraction < 1))
    throw UsageError(
        str("[data.validation] expected a fraction of at least 0 and below 1, got ", fraction));
  if (data.format == Format::bare_shards || (data.format == Format::shards && data.documents < 0))
    throw UsageError(str("[data.validation] a fraction of the documents needs to know them, but ",
                         data.train.front().path,
                         " does not say where they start (name shards to validate on)"));
  if (data.documents < 0 || data.documents > 1'000'000) return;
  check_split(data.documents, static_cast<uint64_t>(need.seed), fraction);
}

// Refuses a context that the data cannot fill, as far as sizes tell: no token stands for less than
// a byte, and each document adds one.
void check_length(const DataRequirements& need, const DataSummary& data) {
  if (need.context == 0 || data.samples) return;
  bool exact = data.tokens >= 0;
  int64_t documents = data.documents >= 0 ? data.documents : data.bytes;
  int64_t most = exact ? data.tokens : data.bytes + documents;
  if (most < need.context + 1)
    throw UsageError(str("[model.context] model.context = ", need.context, " needs at least ",
                         need.context + 1, " tokens, the training data has ",
                         exact ? "" : "at most ", most, " (give more text, or a smaller context)"));
}

}  // namespace

void check_split(int64_t documents, uint64_t seed, double fraction) {
  int64_t held_out = 0;
  for (int64_t i = 0; i < documents; ++i) held_out += is_validation_document(seed, i, fraction);
  if (held_out > 0 && held_out < documents) return;
  throw UsageError(str("[data.validation] ", fraction, " of ", documents,
                       documents == 1 ? " document" : " documents", " leaves ", held_out,
                       " for validation and ", documents - held_out,
                       " for training (use more documents, another fraction, a list of files to "
                       "validate on, or 0 for none)"));
}

DataSummary check_data(const DataConfig& config, const DataRequirements& need) {
  if (config.train.empty())
    throw UsageError("[data.train] no files given, expected a list such as [\"texts/*.txt\"]");
  DataSummary data;
  data.train = find_sources(config.train, "data.train");
  data.format = common_format(data.train, "data.train");
  require_content(data.train, "data.train");
  if (!config.validation_files.empty()) {
    data.validation = find_sources(config.validation_files, "data.validation");
    if (common_format(data.validation, "data.validation") != data.format)
      throw UsageError(str("[data.validation] ", data.validation.front().path, " (",
                           name_of(data.validation.front().kind), ") and ", data.train.front().path,
                           " (", name_of(data.train.front().kind), ") cannot be mixed"));
    require_content(data.validation, "data.validation");
  }
  data.bytes = total_bytes(data.train);
  data.has_validation = !data.validation.empty() || config.validation_fraction > 0;
  if (data.format == Format::bare_shards) {
    if (config.dtype.empty())
      throw UsageError(str("[data.dtype] is missing: ", data.train.front().path, " has no sidecar ",
                           sidecar_path(data.train.front().path).string(),
                           " (set data.dtype to \"uint16\" or \"uint32\")"));
    token_width(config.dtype);
    if (need.vocab_size == 0)
      throw UsageError(str("[model.vocab_size] is needed: ", data.train.front().path,
                           " is a bare token shard and does not say it"));
  }
  check_tokenizer(config, data);
  if (data.format == Format::text) {
    bool plain = std::all_of(data.train.begin(), data.train.end(),
                             [](const SourceFile& f) { return f.kind == SourceKind::text; });
    if (plain) data.documents = static_cast<int64_t>(data.train.size());
    check_samples(config, need, data);
    check_first_lines(data.train, data);
    check_first_lines(data.validation, data);
  } else {
    check_shards(config, need, data);
  }
  check_vocabulary(need, data);
  check_isolation(config, data);
  check_length(need, data);
  check_validation(config, need, data);
  return data;
}

}  // namespace anneal
