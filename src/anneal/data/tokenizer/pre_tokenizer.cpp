#include "anneal/data/tokenizer/pre_tokenizer.hpp"

#include <algorithm>

#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer/splitter.hpp"
#include "anneal/data/tokenizer/unicode.hpp"
#include "anneal/data/tokenizer/utf8.hpp"

namespace anneal::tokenizing {
namespace {

using Spans = std::vector<Span>;

// Joins each match with the part before it, unless that is a match too.
Spans merge_with_previous(const Spans& spans) {
  Spans out;
  bool previous = false;
  for (Span span : spans) {
    if (span.match && !previous && !out.empty()) {
      out.back().end = span.end;
    } else {
      out.push_back(span);
    }
    previous = span.match;
  }
  return out;
}

Spans merge_with_next(const Spans& spans) {
  Spans out;
  bool next = false;
  for (size_t i = spans.size(); i-- > 0;) {
    if (spans[i].match && !next && !out.empty()) {
      out.back().begin = spans[i].begin;
    } else {
      out.push_back(spans[i]);
    }
    next = spans[i].match;
  }
  std::reverse(out.begin(), out.end());
  return out;
}

Spans merge_alike(const Spans& spans) {
  Spans out;
  bool previous = false;
  for (Span span : spans) {
    if (span.match == previous && !out.empty()) {
      out.back().end = span.end;
    } else {
      out.push_back(span);
    }
    previous = span.match;
  }
  return out;
}

Spans with_behavior(Spans spans, Behavior behavior) {
  switch (behavior) {
    case Behavior::isolated:
      break;
    case Behavior::removed:
      std::erase_if(spans, [](Span span) { return span.match; });
      break;
    case Behavior::merged_with_previous:
      return merge_with_previous(spans);
    case Behavior::merged_with_next:
      return merge_with_next(spans);
    case Behavior::contiguous:
      return merge_alike(spans);
  }
  return spans;
}

// Replaces each piece by the parts of it that cut(text) gives.
template <class Cut>
void cut_pieces(Pieces& pieces, const Cut& cut) {
  std::vector<Pieces::Piece> out;
  for (const Pieces::Piece& piece : pieces.items)
    for (Span span : cut(piece.text))
      if (span.end > span.begin)
        out.push_back({piece.text.substr(span.begin, span.end - span.begin),
                       piece.at_start && span.begin == 0});
  pieces.items = std::move(out);
}

// Each character that matches by itself, and what lies between.
template <class IsMatch>
Spans find_characters(std::string_view text, const IsMatch& is_match) {
  Spans spans;
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    bpe::Utf8Char c = bpe::utf8_char(text, at);
    size_t end = at + (c.bytes > 0 ? c.bytes : 1);
    if (is_match(c.code)) {
      if (done < at) spans.push_back({done, at, false});
      spans.push_back({at, end, true});
      done = end;
    }
    at = end;
  }
  if (done < text.size()) spans.push_back({done, text.size(), false});
  return spans;
}

// Runs of word characters and of others; white space goes.
Spans find_words(std::string_view text) {
  enum Kind { space, word, other };
  Spans spans;
  Kind previous = space;
  for (size_t at = 0; at < text.size();) {
    bpe::Utf8Char c = bpe::utf8_char(text, at);
    size_t end = at + (c.bytes > 0 ? c.bytes : 1);
    Kind kind = is_word(c.code) ? word : bpe::is_white_space(c.code) ? space : other;
    if (kind != space) {
      if (kind == previous) {
        spans.back().end = end;
      } else {
        spans.push_back({at, end, true});
      }
    }
    previous = kind;
    at = end;
  }
  return spans;
}

}  // namespace

PreTokenizer split_pre_tokenizer(Pattern pattern, Behavior behavior, bool invert) {
  return [pattern = std::move(pattern), behavior, invert](Pieces& pieces) {
    cut_pieces(pieces, [&](std::string_view text) {
      Spans spans = pattern.find(text);
      if (invert)
        for (Span& span : spans) span.match = !span.match;
      return with_behavior(std::move(spans), behavior);
    });
  };
}

PreTokenizer character_pre_tokenizer(std::function<bool(char32_t)> is_match, Behavior behavior) {
  return [is_match = std::move(is_match), behavior](Pieces& pieces) {
    cut_pieces(pieces, [&](std::string_view text) {
      return with_behavior(find_characters(text, is_match), behavior);
    });
  };
}

PreTokenizer whitespace_pre_tokenizer() {
  return [](Pieces& pieces) { cut_pieces(pieces, find_words); };
}

PreTokenizer metaspace_pre_tokenizer(std::string replacement, PrependScheme scheme, bool split) {
  char32_t mark = bpe::utf8_char(replacement, 0).code;
  return [replacement = std::move(replacement), mark, scheme, split](Pieces& pieces) {
    for (Pieces::Piece& piece : pieces.items) {
      std::string text;
      for (char c : piece.text) c == ' ' ? void(text += replacement) : void(text += c);
      bool prepend =
          scheme == PrependScheme::always || (scheme == PrependScheme::first && piece.at_start);
      if (prepend && !text.starts_with(replacement)) text = str(replacement, text);
      piece.text = pieces.keep(std::move(text));
    }
    if (split)
      cut_pieces(pieces, [&](std::string_view text) {
        return merge_with_next(find_characters(text, [&](char32_t c) { return c == mark; }));
      });
  };
}

PreTokenizer prefix_space_pre_tokenizer() {
  return [](Pieces& pieces) {
    for (Pieces::Piece& piece : pieces.items)
      if (!piece.text.starts_with(' '))
        piece.text = pieces.keep(std::string(1, ' ').append(piece.text));
  };
}

PreTokenizer gpt2_pre_tokenizer() {
  return [](Pieces& pieces) {
    cut_pieces(pieces, [](std::string_view text) {
      Spans spans;
      bpe::Splitter splitter(text);
      size_t at = 0;
      for (std::string_view word = splitter.next(); !word.empty(); word = splitter.next()) {
        spans.push_back({at, at + word.size(), true});
        at += word.size();
      }
      return spans;
    });
  };
}

}  // namespace anneal::tokenizing
