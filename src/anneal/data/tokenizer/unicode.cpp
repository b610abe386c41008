#include "anneal/data/tokenizer/unicode.hpp"

#include <unicode/bytestream.h>
#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <iterator>

#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer/utf8.hpp"

namespace anneal::tokenizing {
namespace {

// Characters that Unicode 9 has: to what is newer, normal forms are blind.
const icu::UnicodeSet& known_to_normal_forms() {
  static const icu::UnicodeSet set = [] {
    UErrorCode status = U_ZERO_ERROR;
    icu::UnicodeSet made(icu::UnicodeString::fromUTF8("[:age=9.0:]"), status);
    if (U_FAILURE(status))
      throw Error(str("[tokenizer] ICU has no character data: ", u_errorName(status)));
    made.freeze();
    return made;
  }();
  return set;
}

icu::FilteredNormalizer2 make_normalizer(NormalForm form) {
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
  return {*found, known_to_normal_forms()};
}

const icu::Normalizer2& normalizer(NormalForm form) {
  static const icu::FilteredNormalizer2 all[] = {
      make_normalizer(NormalForm::nfc), make_normalizer(NormalForm::nfd),
      make_normalizer(NormalForm::nfkc), make_normalizer(NormalForm::nfkd)};
  return all[static_cast<int>(form)];
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

uint32_t mask(char32_t c) { return U_GET_GC_MASK(static_cast<UChar32>(c)); }

struct Range {
  char32_t first, last;
};

template <size_t n>
bool is_in(const Range (&ranges)[n], char32_t c) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [c](Range range) { return c >= range.first && c <= range.last; });
}

// What Unicode 16 and 17 added to N, for the standard library of Rust.
constexpr Range kNewNumbers[] = {{0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9},
                                 {0x11DE0, 0x11DE9}, {0x11F50, 0x11F59}, {0x16130, 0x16139},
                                 {0x16D70, 0x16D79}, {0x16FF4, 0x16FF6}, {0x1CCF0, 0x1CCF9},
                                 {0x1D2C0, 0x1D2D3}, {0x1E4F0, 0x1E4F9}, {0x1E5F1, 0x1E5FA}};

// What Unicode 15.1 and 16 added to \w, for Rust's crate regex.
constexpr Range kNewWord[] = {
    {0x897, 0x897},     {0x1C89, 0x1C8A},   {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},
    {0x105C0, 0x105F3}, {0x10D40, 0x10D65}, {0x10D69, 0x10D6D}, {0x10D6F, 0x10D85},
    {0x10EC2, 0x10EC4}, {0x10EFC, 0x10EFC}, {0x11380, 0x11389}, {0x1138B, 0x1138B},
    {0x1138E, 0x1138E}, {0x11390, 0x113B5}, {0x113B7, 0x113C0}, {0x113C2, 0x113C2},
    {0x113C5, 0x113C5}, {0x113C7, 0x113CA}, {0x113CC, 0x113D3}, {0x113E1, 0x113E2},
    {0x116D0, 0x116E3}, {0x11BC0, 0x11BE0}, {0x11BF0, 0x11BF9}, {0x11F5A, 0x11F5A},
    {0x13460, 0x143FA}, {0x16100, 0x16139}, {0x16D40, 0x16D6C}, {0x16D70, 0x16D79},
    {0x18CFF, 0x18CFF}, {0x1CCF0, 0x1CCF9}, {0x1E5D0, 0x1E5FA}, {0x2EBF0, 0x2EE5D}};

// The small letter where Unicode 16 and 17 added it, for the standard library of Rust, or c.
char32_t new_lowercase(char32_t c) {
  if (c >= 0x10D50 && c <= 0x10D65) return c + 0x20;
  if (c >= 0x16EA0 && c <= 0x16EB8) return c + 0x1B;
  switch (c) {
    case 0xA7CB:
      return 0x264;
    case 0xA7DC:
      return 0x19B;
    case 0x1C89:
    case 0xA7CC:
    case 0xA7CE:
    case 0xA7D2:
    case 0xA7D4:
    case 0xA7DA:
      return c + 1;
    default:
      return c;
  }
}

// The major version of Unicode that brought a character.
int age(char32_t c) {
  UVersionInfo version;
  u_charAge(static_cast<UChar32>(c), version);
  return version[0];
}

// ICU takes lengths of 32 bits.
constexpr size_t kLongest = size_t{1} << 30;

}  // namespace

bool is_numeric(char32_t c) { return (mask(c) & U_GC_N_MASK) != 0 || is_in(kNewNumbers, c); }

// Of Unicode 8, where two characters were punctuation that no longer are.
bool is_punctuation(char32_t c) {
  if (c < 0x80) return c > 0x20 && c < 0x7F && !(mask(c) & (U_GC_L_MASK | U_GC_N_MASK));
  if (c == 0x166D || c == 0x111C9) return true;
  return (mask(c) & U_GC_P_MASK) != 0 && age(c) <= 8;
}

bool is_word(char32_t c) {
  if (u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_ALPHABETIC)) return true;
  if (mask(c) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) return true;
  return c == 0x200C || c == 0x200D || is_in(kNewWord, c);
}

// Of Unicode 9, where three characters were of other categories.
bool is_mark(char32_t c) {
  if (c == 0x1CF2 || c == 0x1CF3) return true;
  return (mask(c) & U_GC_M_MASK) != 0 && age(c) <= 9 && c != 0x111C9;
}

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
    append_utf8(out, static_cast<char32_t>(u_tolower(static_cast<UChar32>(new_lowercase(c.code)))));
    if (c.code == 0x130) append_utf8(out, 0x307);  // the one character that becomes two
  }
  return out;
}

std::string in_case(LetterCase to, std::string_view text) {
  int size = static_cast<int>(text.size());
  auto changed = icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), size));
  const icu::Locale& no_language = icu::Locale::getRoot();
  if (to == LetterCase::upper) changed.toUpper(no_language);
  if (to == LetterCase::lower) changed.toLower(no_language);
  if (to == LetterCase::title) changed.toTitle(nullptr, no_language, 0);
  std::string out;
  changed.toUTF8String(out);
  return out;
}

bool is_cased(char32_t c) { return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_CASED); }

bool is_printable(char32_t c) {
  switch (u_charType(static_cast<UChar32>(c))) {
    case U_CONTROL_CHAR:
    case U_FORMAT_CHAR:
    case U_SURROGATE:
    case U_PRIVATE_USE_CHAR:
    case U_UNASSIGNED:
    case U_LINE_SEPARATOR:
    case U_PARAGRAPH_SEPARATOR:
    case U_SPACE_SEPARATOR:
      return false;
    default:
      return true;
  }
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
