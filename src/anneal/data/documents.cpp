#include "anneal/data/documents.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

}  // namespace

struct DocumentReader::State {
  std::vector<SourceFile> files;
  CutFunction cut;
  PieceLimits limits;
  size_t file_index = 0;
  int fd = -1;
  std::string buffer;  // read from the file and not yet handed out from `start` on
  size_t start = 0;
  bool end_of_file = false;
  int64_t read_bytes = 0;
  int64_t document = 0;
  int64_t line = 0;

  ~State() {
    if (fd >= 0) ::close(fd);
  }

  const SourceFile& file() const { return files[file_index]; }
  std::string_view rest() const { return std::string_view(buffer).substr(start); }

  [[noreturn]] void fail(const char* action) const {
    throw Error(str("[", file().path, "] cannot ", action, ": ", std::strerror(errno)));
  }

  void open() {
    fd = ::open(file().path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail("open");
    buffer.clear();
    start = 0;
    end_of_file = false;
    read_bytes = 0;
    line = 0;
    read_more();
    if (rest().starts_with("\xef\xbb\xbf")) start = 3;
  }

  // Tokens of a file that changed meanwhile would be cached under its old size and time.
  void close() {
    struct stat info {};
    if (::fstat(fd, &info) != 0) fail("read");
    int64_t modified = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
    if (modified != file().modified_ns || read_bytes != file().bytes)
      throw Error(str("[", file().path,
                      "] changed while it was read (start again when nothing writes to it)"));
    ::close(fd);
    fd = -1;
    ++file_index;
  }

  void read_more() {
    buffer.erase(0, start);
    start = 0;
    size_t old = buffer.size();
    size_t wanted = limits.target;
    buffer.resize(old + wanted);
    size_t got = 0;
    while (got < wanted) {
      ssize_t n = ::read(fd, buffer.data() + old + got, wanted - got);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail("read");
      if (n == 0) {
        end_of_file = true;
        break;
      }
      got += static_cast<size_t>(n);
    }
    buffer.resize(old + got);
    read_bytes += static_cast<int64_t>(got);
  }

  void give(Piece& piece, size_t length, bool last, bool json) {
    piece.text.assign(buffer, start, length);
    start += length;
    piece.document = document;
    piece.last = last;
    piece.json = json;
    piece.path = file().path;
    piece.line = line;
    if (last) ++document;
  }

  void next_text(Piece& piece) {
    while (!end_of_file) {
      if (rest().size() >= limits.target) {
        size_t end = cut(rest());
        if (end == 0 && rest().size() > limits.hard) end = character_start(limits.hard);
        if (end > 0) return give(piece, end, false, false);
      }
      read_more();
    }
    give(piece, rest().size(), true, false);
    close();
  }

  // The start of the UTF-8 character at `at`, so that none is torn.
  size_t character_start(size_t at) const {
    size_t end = at;
    while (end > at - 3 && is_continuation(rest()[end])) --end;
    return is_continuation(rest()[end]) ? at : end;
  }

  // Whether there was another line in this file.
  bool next_json(Piece& piece) {
    size_t searched = 0;
    while (true) {
      size_t end = rest().find('\n', searched);
      if (end == std::string::npos && !end_of_file) {
        searched = rest().size();
        if (searched > limits.json_line) too_long();
        read_more();
        continue;
      }
      bool final_line = end == std::string::npos;
      size_t length = final_line ? rest().size() : end;
      if (length > limits.json_line) too_long();
      ++line;
      if (is_blank(rest().substr(0, length))) {
        start += final_line ? length : length + 1;
        searched = 0;
        if (!final_line) continue;
        close();
        return false;
      }
      give(piece, length, true, true);
      if (!final_line) ++start;
      return true;
    }
  }

  [[noreturn]] void too_long() const {
    throw UsageError(str("[", file().path, ":", line + 1, "] the line is longer than ",
                         limits.json_line, " bytes (split the document)"));
  }
};

DocumentReader::DocumentReader(std::vector<SourceFile> files, CutFunction cut, PieceLimits limits)
    : state_(std::make_unique<State>()) {
  ANNEAL_ASSERT(limits.target > 0 && limits.hard > 3 && limits.hard >= limits.target);
  state_->cut = std::move(cut);
  state_->files = std::move(files);
  state_->limits = limits;
}

DocumentReader::~DocumentReader() = default;

bool DocumentReader::next(Piece& piece) {
  State& s = *state_;
  while (s.file_index < s.files.size()) {
    if (s.fd < 0) s.open();
    if (s.file().kind == SourceKind::text) {
      s.next_text(piece);
      return true;
    }
    ANNEAL_ASSERT(s.file().kind == SourceKind::jsonl);
    if (s.next_json(piece)) return true;
  }
  return false;
}

void for_each_document_piece(
    const std::vector<SourceFile>& files, const CutFunction& cut,
    const std::function<void(int64_t document, std::string_view text, bool last)>& visit,
    const std::function<bool(int64_t document)>& wanted) {
  DocumentReader reader(files, cut);
  Piece piece;
  while (reader.next(piece)) {
    if (wanted && !wanted(piece.document)) continue;
    if (piece.json) piece.text = json_text(piece.text, piece.path, piece.line);
    visit(piece.document, piece.text, piece.last);
  }
}

}  // namespace anneal
