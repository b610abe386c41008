#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/data/sources.hpp"

namespace anneal {

// A piece of a document as it stands in a file. A text file is one document, in as many pieces as
// its length needs; a line of a JSONL file is one piece, still in JSON (see json_text).
struct Piece {
  std::string text;
  int64_t document = 0;  // global over all files, in order
  bool last = false;     // of its document
  bool json = false;
  std::string path;
  int64_t line = 0;  // of JSONL, from 1
};

struct PieceLimits {
  size_t target = size_t{1} << 18;     // bytes; a longer text comes in pieces of about this size
  size_t hard = size_t{1} << 22;       // bytes; a text without a safe place to cut is cut here
  size_t json_line = size_t{1} << 28;  // bytes; a longer line of JSONL is an error
};

// The largest offset > 0 at which a text may be cut, whatever follows it; 0 if there is none:
// Tokenizer::last_cut or last_word_cut.
using CutFunction = std::function<size_t(std::string_view)>;

// Reads the documents of text and JSONL files in order, in memory bounded by PieceLimits. A UTF-8
// byte order mark at the start of a file is dropped; nothing else is changed (CRLF, invalid UTF-8).
// Blank lines of JSONL are passed over and are no documents.
class DocumentReader {
 public:
  DocumentReader(std::vector<SourceFile> files, CutFunction cut, PieceLimits limits = {});
  ~DocumentReader();
  DocumentReader(const DocumentReader&) = delete;
  DocumentReader& operator=(const DocumentReader&) = delete;

  // The next piece, or false after the last. Throws Error when a file cannot be read or is no
  // longer what it was when it was found; UsageError (file:line) when a line is too long.
  bool next(Piece& piece);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The string "text" of the JSON object in `line`. Throws UsageError naming path:line.
std::string json_text(std::string_view line, const std::string& path, int64_t line_number);

// Calls visit(document, text, last) for each piece of each document, JSON decoded, in order.
// Documents for which `wanted` (when given) is false are passed over undecoded.
void for_each_document_piece(
    const std::vector<SourceFile>& files, const CutFunction& cut,
    const std::function<void(int64_t document, std::string_view text, bool last)>& visit,
    const std::function<bool(int64_t document)>& wanted = {});

}  // namespace anneal
