#include "anneal/data/prepare.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/base/hash.hpp"
#include "anneal/base/log.hpp"
#include "anneal/data/chat_sample.hpp"
#include "anneal/data/order.hpp"
#include "anneal/data/prepared_files.hpp"
#include "anneal/data/sample_writer.hpp"
#include "anneal/data/shard_writer.hpp"
#include "anneal/data/tokenise.hpp"
#include "anneal/data/tokenizer.hpp"

namespace anneal {
namespace {

using Format = DataSummary::Format;

// A hash of everything that decides what the prepared files hold.
std::string inputs_hash(const DataConfig& config, const DataSummary& data,
                        const DataRequirements& need) {
  std::string text = "anneal prepared data 1\n";
  auto add_files = [&](const char* name, const std::vector<SourceFile>& files) {
    text += str(name, " ", files.size(), "\n");
    for (const SourceFile& f : files)
      text += str(f.path.size(), " ", f.path, " ", name_of(f.kind), " ", f.bytes, " ",
                  f.modified_ns, "\n");
  };
  add_files("train", data.train);
  add_files("validation", data.validation);
  char fraction[64];
  std::snprintf(fraction, sizeof fraction, "%a", config.validation_fraction);
  text += data.tokenizer ? tokenizer_hash_text(*data.tokenizer) : str("bpe ", data.bpe_size);
  if (data.validation.empty() && config.validation_fraction > 0)
    text += str("\nseed ", need.seed, " fraction ", fraction);
  if (data.samples) text += str("\nsamples ", need.context, " ", data.samples->hash);
  ContentHash hash;
  hash.update(text.data(), text.size());
  return hash.hex();
}

// Sends each document to the shard it belongs to.
class Splitter {
 public:
  Splitter(const PreparedFiles& files, const DataConfig& config, int64_t seed, bool has_validation,
           int64_t vocab_size, const std::string& tokenizer_hash)
      : files_(files),
        seed_(static_cast<uint64_t>(seed)),
        fraction_(config.validation_files.empty() ? config.validation_fraction : 0),
        train_(files.train(), vocab_size, tokenizer_hash) {
    if (has_validation) validation_.emplace(files.validation(), vocab_size, tokenizer_hash);
  }

  ShardWriter& train() { return train_; }
  ShardWriter& validation() { return *validation_; }
  double fraction() const { return fraction_; }
  bool holds_out(int64_t document) const {
    return is_validation_document(seed_, document, fraction_);
  }
  ShardWriter& writer_of(int64_t document) { return holds_out(document) ? *validation_ : train_; }

  void finish(int64_t documents) {
    if (fraction_ > 0 && (train_.documents() == 0 || validation_->documents() == 0))
      check_split(documents, seed_, fraction_);
    train_.finish();
    if (validation_) {
      validation_->finish();
    } else {
      std::error_code ignored;
      std::filesystem::remove(files_.validation(), ignored);
      std::filesystem::remove(sidecar_path(files_.validation()), ignored);
      std::filesystem::remove(mask_path(files_.validation()), ignored);
    }
  }

 private:
  const PreparedFiles& files_;
  uint64_t seed_;
  double fraction_;
  ShardWriter train_;
  std::optional<ShardWriter> validation_;
};

void tokenise_all(const DataSummary& data, const PrepareOptions& options, Splitter& splitter,
                  const Tokenizer& tokenizer) {
  PrepareProgress now{"tokenising", 0, data.bytes + total_bytes(data.validation)};
  std::vector<int32_t> end_of_text;
  if (auto id = tokenizer.end_of_text()) end_of_text.push_back(*id);
  bool starts = true;
  int64_t documents = 0;
  auto write = [&](ShardWriter& writer, const TokenPiece& piece) {
    if (starts) writer.begin_document();
    writer.append(piece.tokens);
    writer.count_text(piece.text_bytes);
    starts = piece.last;
    if (piece.last) writer.append(end_of_text);
    now.bytes_done += piece.file_bytes;
    if (options.progress) options.progress(now);
  };
  auto encode = [&](const Piece& piece) {
    auto of = [&](std::string_view text) {
      return EncodedPiece{.tokens = tokenizer.encode(text),
                          .text_bytes = static_cast<int64_t>(text.size())};
    };
    return of(piece.json ? json_text(piece.text, piece.path, piece.line) : piece.text);
  };
  auto cut = [&](std::string_view text) { return tokenizer.last_cut(text); };
  tokenise(data.train, cut, encode, options.threads, [&](const TokenPiece& piece) {
    write(splitter.writer_of(piece.document), piece);
    documents = piece.document + 1;
  });
  tokenise(data.validation, cut, encode, options.threads,
           [&](const TokenPiece& piece) { write(splitter.validation(), piece); });
  splitter.finish(documents);
}

// Sends whole samples to the shard that they belong to.
void pack_samples(const DataSummary& data, const PrepareOptions& options, Splitter& splitter,
                  const Tokenizer& tokenizer) {
  const SampleFormat& format = *data.samples;
  const ChatTemplate* chat = format.chat ? &*format.chat : nullptr;
  PrepareProgress now{"tokenising", 0, data.bytes + total_bytes(data.validation)};
  int64_t context = options.requirements.context;
  int32_t padding = format.end_ids.empty() ? 0 : format.end_ids[0];
  SampleWriter train(splitter.train(), context, padding);
  std::optional<SampleWriter> validation;
  if (data.has_validation) validation.emplace(splitter.validation(), context, padding);
  // Conversations, and whether anything in them beyond their first token does not count.
  std::atomic<bool> rendered = false, masked = false;
  auto encode = [&](const Piece& piece) {
    TextSample text = read_text_sample(piece.text, chat, piece.path, piece.line);
    auto sample = tokenise_sample(text, tokenizer, format.end_ids, piece.path, piece.line);
    if (text.rendered) rendered = true;
    if (text.rendered && std::find(sample.supervised.begin() + 1, sample.supervised.end(),
                                   uint8_t{0}) != sample.supervised.end())
      masked = true;
    return EncodedPiece{std::move(sample.tokens), std::move(sample.supervised),
                        static_cast<int64_t>(text.text.size())};
  };
  auto write = [&](SampleWriter& writer, ShardWriter& shard, const TokenPiece& piece) {
    writer.add(piece.tokens, piece.supervised);
    shard.count_text(piece.text_bytes);
    now.bytes_done += piece.file_bytes;
    if (options.progress) options.progress(now);
  };
  int64_t samples = 0;
  tokenise(data.train, {}, encode, options.threads, [&](const TokenPiece& piece) {
    bool held_out = splitter.holds_out(piece.document);
    write(held_out ? *validation : train, held_out ? splitter.validation() : splitter.train(),
          piece);
    samples = piece.document + 1;
  });
  tokenise(data.validation, {}, encode, options.threads,
           [&](const TokenPiece& piece) { write(*validation, splitter.validation(), piece); });
  if (rendered && !masked)
    throw UsageError(str("[data.train] every token of every conversation in ",
                         data.train.front().path,
                         " counts in the loss, the questions too (is there {% generation %} around "
                         "more than the answers in the chat template?)"));
  auto finish = [&](SampleWriter& writer, const char* key) {
    writer.finish();
    if (writer.samples() == 0 && writer.left_out() > 0)
      throw UsageError(str("[model.context] none of the ", writer.left_out(), " samples of ", key,
                           " fits ", context, " tokens, the longest has ", writer.longest(),
                           " (make model.context larger)"));
    log_info(str(key, ": ", writer.summary()));
    if (writer.left_out() > 0)
      log_warning(str(key, ": ", writer.left_out(), " samples are longer than model.context = ",
                      context, " tokens and left out; the longest has ", writer.longest()));
  };
  double fraction = validation && data.validation.empty() ? splitter.fraction() : 0;
  if (fraction > 0)
    check_split(samples, static_cast<uint64_t>(options.requirements.seed), fraction);
  finish(train, "data.train");
  if (validation) finish(*validation, "data.validation");
  splitter.finish(samples);
}

void copy_documents(const DataSummary& data, const PrepareOptions& options, Splitter& splitter) {
  PrepareProgress now{"copying shards", 0, data.bytes};
  constexpr int64_t block = 1 << 16;
  std::vector<int32_t> tokens;
  std::vector<uint8_t> marks;
  int64_t document = 0;
  for (const SourceFile& file : data.train) {
    TokenShard shard = TokenShard::open(file.path);
    std::vector<int64_t> offsets = shard.document_offsets();
    offsets.push_back(shard.size());
    for (size_t d = 0; d + 1 < offsets.size(); ++d, ++document) {
      ShardWriter& writer = splitter.writer_of(document);
      writer.begin_document();
      for (int64_t at = offsets[d]; at < offsets[d + 1]; at += block) {
        tokens.resize(static_cast<size_t>(std::min(block, offsets[d + 1] - at)));
        shard.read(at, tokens);
        if (shard.info().supervised >= 0) {
          marks.resize(tokens.size());
          shard.read_supervised(at, marks);
          writer.append(tokens, marks);
        } else {
          writer.append(tokens);
        }
        now.bytes_done +=
            static_cast<int64_t>(tokens.size()) * static_cast<int>(shard.info().width);
        if (options.progress) options.progress(now);
      }
    }
  }
  splitter.finish(document);
}

TokenDataset open_shards(const std::vector<SourceFile>& files, const DataConfig& config,
                         int64_t vocab_size) {
  std::vector<TokenShard> shards;
  for (const SourceFile& file : files) {
    if (file.kind == SourceKind::shard) {
      shards.push_back(TokenShard::open(file.path));
      continue;
    }
    shards.push_back(TokenShard::open_bare(file.path, token_width(config.dtype), vocab_size));
    shards.back().check_tokens();
  }
  return TokenDataset(std::move(shards));
}

// What lies in the directory; throws Error when it does not hold together.
PreparedData open_prepared(const PreparedFiles& files, const DataSummary& data) {
  PreparedData prepared;
  prepared.tokenizer = data.tokenizer;
  if (!prepared.tokenizer)
    prepared.tokenizer = std::make_shared<Tokenizer>(Tokenizer::load(files.tokenizer()));
  auto open = [&](const std::filesystem::path& path) {
    std::vector<TokenShard> shards;
    shards.push_back(TokenShard::open(path));
    return TokenDataset(std::move(shards));
  };
  prepared.train = open(files.train());
  if (data.has_validation) prepared.validation = open(files.validation());
  const std::string& made_by = prepared.train.tokenizer_hash();
  if (data.format == Format::text && made_by != tokenizer_hash_text(*prepared.tokenizer))
    throw FormatError(str("[", files.train().string(), "] was made by another tokenizer"));
  return prepared;
}

void make_files(const PreparedFiles& files, const DataConfig& config, const DataSummary& data,
                const PrepareOptions& options) {
  int64_t seed = options.requirements.seed;
  files.forget();
  auto tokenizer = data.tokenizer
                       ? data.tokenizer
                       : obtain_tokenizer(config, data, seed, options.threads, options.progress);
  write_file_atomically(files.tokenizer(), tokenizer->to_json());
  if (data.format == Format::text) {
    Splitter splitter(files, config, seed, data.has_validation, tokenizer->vocab_size(),
                      tokenizer_hash_text(*tokenizer));
    if (data.samples)
      pack_samples(data, options, splitter, *tokenizer);
    else
      tokenise_all(data, options, splitter, *tokenizer);
  } else {
    Splitter splitter(files, config, seed, true, data.vocab_size,
                      TokenShard::open(data.train.front().path).info().tokenizer_hash);
    copy_documents(data, options, splitter);
  }
}

PreparedData prepare_in_directory(const DataConfig& config, const DataSummary& data,
                                  const PrepareOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.directory, error);
  if (error)
    throw Error(str("[", options.directory.string(), "] cannot create: ", error.message()));
  PreparedFiles files{options.directory};
  bool said = false;
  DirectoryLock lock(options.directory, [&] {
    if (!std::exchange(said, true))
      log_info(str("waiting for another process that prepares ", options.directory.string()));
    if (options.progress) options.progress({"waiting", 0, 0});
  });
  std::string inputs = inputs_hash(config, data, options.requirements);
  if (files.match(inputs)) {
    try {
      PreparedData prepared = open_prepared(files, data);
      prepared.from_cache = true;
      return prepared;
    } catch (const Error& damaged) {
      log_info(str("making the data anew: ", damaged.what()));
    }
  }
  make_files(files, config, data, options);
  PreparedData prepared = open_prepared(files, data);
  files.remember(inputs);
  return prepared;
}

void check_sizes(const PreparedData& prepared, int64_t context) {
  if (context == 0) return;
  if (prepared.train.samples(context) < 1)
    throw UsageError(str("[model.context] model.context = ", context, " needs at least ",
                         context + 1, " tokens, the training data has ", prepared.train.tokens(),
                         " (give more text, or a smaller context)"));
  if (prepared.has_validation() && prepared.validation.samples(context) < 1)
    throw UsageError(str("[data.validation] the validation data has ", prepared.validation.tokens(),
                         " tokens, model.context = ", context, " needs at least ", context + 1,
                         " (hold out more, or set data.validation to 0)"));
}

}  // namespace

PreparedData prepare_data(const DataConfig& config, const PrepareOptions& options) {
  const DataRequirements& need = options.requirements;
  DataSummary data = check_data(config, need);
  if (data.samples && need.context == 0)
    throw UsageError(
        "[data.packing] samples are packed into sequences of a length that is to be given");
  bool split = data.has_validation && data.validation.empty();
  if (split && config.has_samples() && !data.samples)
    throw UsageError(str("[data.validation] ", data.train.front().path,
                         " holds packed samples, of which no fraction can be held out (name shards "
                         "to validate on, or prepare them with a fraction)"));
  PreparedData prepared;
  if (data.format == Format::text || split) {
    prepared = prepare_in_directory(config, data, options);
  } else {
    prepared.tokenizer = data.tokenizer;
    prepared.train = open_shards(data.train, config, need.vocab_size);
    prepared.validation = open_shards(data.validation, config, need.vocab_size);
    prepared.from_cache = true;
  }
  check_sizes(prepared, need.context);
  if (config.isolates()) {
    prepared.train.isolate_documents();
    prepared.validation.isolate_documents();
  }
  return prepared;
}

}  // namespace anneal
