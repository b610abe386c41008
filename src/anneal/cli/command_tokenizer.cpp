#include <charconv>
#include <filesystem>
#include <iostream>
#include <memory>

#include "anneal/base/file.hpp"
#include "anneal/base/log.hpp"
#include "anneal/cli/command.hpp"
#include "anneal/cli/command_input.hpp"
#include "anneal/data/documents.hpp"
#include "anneal/data/sources.hpp"
#include "anneal/data/tokenizer.hpp"

namespace anneal {
namespace {

struct TrainArguments {
  std::vector<std::string> files;
  int64_t vocab_size = 4096;
  int64_t threads = 0;
  std::string out = "tokenizer.json";
};

void feed_files(BpeTrainer& trainer, const std::vector<std::string>& patterns) {
  auto files = find_sources(patterns, "FILE");
  for (const auto& file : files)
    if (file.kind != SourceKind::text && file.kind != SourceKind::jsonl)
      throw UsageError(str("[FILE] ", file.path, " is a ", name_of(file.kind),
                           ", expected text or JSONL (give the text that it was made from)"));
  for_each_document_piece(files, last_word_cut,
                          [&](int64_t, std::string_view text, bool) { trainer.feed(text); });
}

ExitCode train(const TrainArguments& arguments) {
  if (arguments.vocab_size > kMaxTrainedVocabulary || arguments.vocab_size < 257)
    throw UsageError(str("[--vocab-size] expected 257 to ", kMaxTrainedVocabulary, ", got ",
                         arguments.vocab_size, " (256 bytes, the end of text, and the merges)"));
  if (arguments.threads < 0 || arguments.threads > 4096)
    throw UsageError(
        str("[--threads] expected 0 to 4096, got ", arguments.threads, " (0 uses all cores)"));
  if (std::filesystem::is_directory(arguments.out))
    throw UsageError(str("[--out] ", arguments.out, " is a directory (name the file to write)"));
  BpeTrainer trainer({.vocab_size = static_cast<int32_t>(arguments.vocab_size),
                      .threads = static_cast<int>(arguments.threads)});
  if (arguments.files.empty())
    for_each_block(std::cin, "stdin", last_word_cut,
                   [&](std::string_view text) { trainer.feed(text); });
  else
    feed_files(trainer, arguments.files);
  auto tokenizer = trainer.train();
  write_file_atomically(arguments.out, tokenizer.to_json());
  log_info(str("wrote ", arguments.out, ": ", tokenizer.vocab_size(), " tokens"));
  return ExitCode::ok;
}

struct ApplyArguments {
  std::string tokenizer;
  std::vector<std::string> files;
  bool special = false;
  bool add_special = false;
};

void print_ids(const std::vector<int32_t>& ids, bool& first) {
  std::string line;
  char buffer[16];
  for (int32_t id : ids) {
    if (!first) line += ' ';
    first = false;
    line.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, id).ptr);
  }
  std::cout << line;
}

ExitCode encode(const ApplyArguments& arguments) {
  auto tokenizer = open_tokenizer(arguments.tokenizer, "--tokenizer");
  for_each_input(arguments.files, [&](std::istream& in, const std::string& name) {
    bool first = true;
    EncodeOptions options{.read_special = arguments.special, .add_special = arguments.add_special};
    // What is put around a text can't be put around a part of it.
    auto cut = [&](std::string_view text) {
      return arguments.add_special ? size_t{0} : tokenizer.last_cut(text);
    };
    for_each_block(in, name, cut, [&](std::string_view text) {
      print_ids(tokenizer.encode(text, options), first);
    });
    // An empty file has no block.
    if (first && arguments.add_special) print_ids(tokenizer.encode("", options), first);
    std::cout << '\n';
  });
  return ExitCode::ok;
}

ExitCode decode(const ApplyArguments& arguments) {
  auto tokenizer = open_tokenizer(arguments.tokenizer, "--tokenizer");
  for_each_input(arguments.files, [&](std::istream& in, const std::string& name) {
    std::string word;
    std::vector<int32_t> ids;
    while (in >> word) {
      int32_t id = -1;
      auto end = word.data() + word.size();
      auto [stop, error] = std::from_chars(word.data(), end, id);
      if (error != std::errc{} || stop != end || id < 0 || id >= tokenizer.vocab_size())
        throw UsageError(str("[", name, "] expected token ids from 0 to ",
                             tokenizer.vocab_size() - 1, ", got ", word.substr(0, 40),
                             " (ids are separated by blanks, as encode writes them)"));
      ids.push_back(id);
    }
    std::cout << tokenizer.decode(ids, arguments.special);
    if (in.bad()) throw Error(str("[", name, "] cannot read"));
  });
  return ExitCode::ok;
}

constexpr const char* tokenizer_doc = "\"byte\", a tokenizer.json, or a directory with one";

}  // namespace

Command tokenizer_train_command() {
  return {.name = "tokenizer train",
          .summary = "Train a byte-level BPE tokenizer on text or JSONL",
          .example = "tokenizer train 'texts/*.txt' --vocab-size 4096 --out tokenizer.json",
          .setup = [](Arguments& take) -> std::function<ExitCode()> {
            auto arguments = std::make_shared<TrainArguments>();
            take.positional("FILE", arguments->files,
                            "Text or JSONL files, or patterns of them; none: text from stdin",
                            true);
            take.option("--vocab-size", "N", arguments->vocab_size,
                        "Tokens to make: 256 bytes, <|endoftext|> and merges");
            take.option("--out", "PATH", arguments->out, "The tokenizer.json to write");
            take.option("--threads", "N", arguments->threads, "0: all cores");
            return [arguments] { return train(*arguments); };
          }};
}

Command tokenizer_encode_command() {
  return {.name = "tokenizer encode",
          .summary = "Print the token ids of text, one line for each file",
          .example = "tokenizer encode --tokenizer tokenizer.json README.md",
          .setup = [](Arguments& take) -> std::function<ExitCode()> {
            auto arguments = std::make_shared<ApplyArguments>();
            take.option("--tokenizer", "PATH", arguments->tokenizer, tokenizer_doc, true);
            take.positional("FILE", arguments->files, "Text files; none: stdin", true);
            take.flag("--special", arguments->special,
                      "Read strings such as <|endoftext|> as the special tokens they name");
            take.flag("--add-special", arguments->add_special,
                      "Put the tokens around each file that the tokenizer puts around a text, "
                      "such as <s>");
            return [arguments] { return encode(*arguments); };
          }};
}

Command tokenizer_decode_command() {
  return {.name = "tokenizer decode",
          .summary = "Print the text of token ids, byte for byte",
          .example = "tokenizer decode --tokenizer tokenizer.json ids.txt",
          .setup = [](Arguments& take) -> std::function<ExitCode()> {
            auto arguments = std::make_shared<ApplyArguments>();
            take.option("--tokenizer", "PATH", arguments->tokenizer, tokenizer_doc, true);
            take.positional("FILE", arguments->files, "Files of token ids; none: stdin", true);
            take.flag("--skip-special", arguments->special, "Leave out special tokens");
            return [arguments] { return decode(*arguments); };
          }};
}

}  // namespace anneal
