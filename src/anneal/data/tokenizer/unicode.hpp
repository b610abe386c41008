#pragma once

#include <string>
#include <string_view>

// What Unicode says of characters, as the libraries that Hugging Face's tokenizers and Python use
// see it: each of them follows another version of Unicode.
namespace anneal::tokenizing {

// General category N.
bool is_numeric(char32_t c);
// ASCII punctuation, or general category P.
bool is_punctuation(char32_t c);
// \w: Alphabetic, M, Nd, Pc, Join_Control.
bool is_word(char32_t c);
// General category M.
bool is_mark(char32_t c);

enum class NormalForm { nfc, nfd, nfkc, nfkd };
// `text` is valid UTF-8.
std::string normalized(NormalForm form, std::string_view text);
// Each character by itself, without regard to its neighbours.
std::string lowercase(std::string_view text);

// A whole text as Python's str has it, in Unicode 15: letters may become several, and the last
// sigma of a word has a form of its own. `title` is for the first character of a word.
enum class LetterCase { upper, lower, title };
std::string in_case(LetterCase to, std::string_view text);
// Whether the character has a case.
bool is_cased(char32_t c);
// str.isprintable of a character beyond ASCII.
bool is_printable(char32_t c);

void append_utf8(std::string& text, char32_t c);

}  // namespace anneal::tokenizing
