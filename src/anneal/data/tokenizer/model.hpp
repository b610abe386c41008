#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace anneal::tokenizing {

// What turns words, the pieces that a pre-tokenizer leaves, into token ids.
class Model {
 public:
  virtual ~Model() = default;
  // Appends the ids of a word: valid UTF-8, or for a byte-level model any bytes.
  virtual void encode_word(std::string_view word, std::vector<int32_t>& ids) const = 0;
  // Appends what stands for a byte that is not part of a valid character.
  virtual void encode_byte(unsigned char byte, std::vector<int32_t>& ids) const = 0;
  // The tokens by id: bytes for a byte-level model, for others the texts of the file.
  virtual const std::vector<std::string>& tokens() const = 0;
};

}  // namespace anneal::tokenizing
