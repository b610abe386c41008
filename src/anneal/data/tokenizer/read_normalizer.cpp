#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer/normalizer.hpp"

namespace anneal::tokenizing {
namespace {

void read(const JsonValue& value, std::vector<Normalizer>& steps, bool& only_unicode) {
  std::string type = value.text("type");
  if (type == "Sequence") {
    JsonValue list = value.array("normalizers");
    for (size_t i = 0; i < list.size(); ++i) read(list.item(i), steps, only_unicode);
    return;
  }
  for (auto [name, form] :
       {std::pair("NFC", NormalForm::nfc), std::pair("NFD", NormalForm::nfd),
        std::pair("NFKC", NormalForm::nfkc), std::pair("NFKD", NormalForm::nfkd)})
    if (type == name) return steps.push_back(unicode_normalizer(form));
  only_unicode = false;
  if (type == "Lowercase") {
    steps.push_back(lowercase_normalizer());
  } else if (type == "Prepend") {
    steps.push_back(prepend_normalizer(value.text("prepend")));
  } else if (type == "Replace") {
    steps.push_back(replace_normalizer(read_pattern(value), value.text("content")));
  } else if (type == "Strip") {
    steps.push_back(
        strip_normalizer(value.boolean("strip_left", true), value.boolean("strip_right", true)));
  } else if (type == "StripAccents") {
    steps.push_back(strip_accents_normalizer());
  } else if (type == "Nmt") {
    steps.push_back(nmt_normalizer());
  } else {
    value.find("type")->fail(
        str("the normalizer ", shown(type),
            " is not supported; supported are Sequence, NFC, NFD, NFKC, NFKD, Lowercase, "
            "Prepend, Replace, Strip, StripAccents and Nmt"));
  }
}

}  // namespace

std::vector<Normalizer> read_normalizers(const std::optional<JsonValue>& value,
                                         bool& only_unicode) {
  std::vector<Normalizer> steps;
  only_unicode = true;
  if (value) read(*value, steps, only_unicode);
  return steps;
}

Pattern read_pattern(const JsonValue& owner) {
  JsonValue pattern = owner.object("pattern");
  if (auto fixed = pattern.find("String")) {
    if (fixed->as_text().empty()) fixed->fail("is empty");
    return Pattern::fixed(fixed->as_text());
  }
  auto regex = pattern.find("Regex");
  if (!regex) pattern.fail("expected a member \"String\" or \"Regex\"");
  try {
    return Pattern::regex(regex->as_text());
  } catch (const FormatError&) {
    throw;
  } catch (const Error& error) {
    regex->fail(error.what());
  }
}

}  // namespace anneal::tokenizing
