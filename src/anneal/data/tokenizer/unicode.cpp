#include "anneal/data/tokenizer/unicode.hpp"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>

#include <algorithm>

#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer/utf8.hpp"

namespace anneal::tokenizing {
namespace {

const icu::Normalizer2& normalizer(NormalForm form) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* found = nullptr;
  switch (form) {
    case NormalForm::nfc:
      found = icu::Normalizer2::getNFCInstance(status);
      break;
    case NormalForm::nfd:
      found = icu::Normalizer2::getNFDInstance(status);
      break;
    case NormalForm::nfkc:
      found = icu::Normalizer2::getNFKCInstance(status);
      break;
    case NormalForm::nfkd:
      found = icu::Normalizer2::getNFKDInstance(status);
      break;
  }
  if (U_FAILURE(status) || !found)
    throw Error(str("[tokenizer] ICU has no normalization data: ", u_errorName(status)));
  return *found;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

uint32_t mask(char32_t c) { return U_GET_GC_MASK(static_cast<UChar32>(c)); }

// ICU takes lengths of 32 bits.
constexpr size_t kLongest = size_t{1} << 30;

}  // namespace

bool is_numeric(char32_t c) { return (mask(c) & U_GC_N_MASK) != 0; }

bool is_punctuation(char32_t c) {
  if (c < 0x80) return c > 0x20 && c < 0x7F && !(mask(c) & (U_GC_L_MASK | U_GC_N_MASK));
  return (mask(c) & U_GC_P_MASK) != 0;
}

bool is_word(char32_t c) {
  if (u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_ALPHABETIC)) return true;
  if (mask(c) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) return true;
  return c == 0x200C || c == 0x200D;
}

bool is_mark(char32_t c) { return (mask(c) & U_GC_M_MASK) != 0; }

std::string normalized(NormalForm form, std::string_view text) {
  if (is_ascii(text)) return std::string(text);
  if (text.size() > kLongest)
    throw Error(str("[tokenizer] a text of ", text.size(), " bytes is too long to normalize"));
  std::string out;
  icu::StringByteSink<std::string> sink(&out, static_cast<int32_t>(text.size()));
  UErrorCode status = U_ZERO_ERROR;
  normalizer(form).normalizeUTF8(0, {text.data(), static_cast<int32_t>(text.size())}, sink, nullptr,
                                 status);
  if (U_FAILURE(status))
    throw Error(str("[tokenizer] ICU can't normalize a text: ", u_errorName(status)));
  return out;
}

std::string lowercase(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    bpe::Utf8Char c = bpe::utf8_char(text, at);
    if (c.bytes == 0) {
      out += text[at++];
      continue;
    }
    at += c.bytes;
    append_utf8(out, static_cast<char32_t>(u_tolower(static_cast<UChar32>(c.code))));
    if (c.code == 0x130) append_utf8(out, 0x307);  // the one character that becomes two
  }
  return out;
}

void append_utf8(std::string& text, char32_t c) {
  if (c < 0x80) {
    text += static_cast<char>(c);
  } else if (c < 0x800) {
    text += static_cast<char>(0xC0 | c >> 6);
    text += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    text += static_cast<char>(0xE0 | c >> 12);
    text += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    text += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    text += static_cast<char>(0xF0 | c >> 18);
    text += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    text += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    text += static_cast<char>(0x80 | (c & 0x3F));
  }
}

}  // namespace anneal::tokenizing
