#include <nlohmann/json.hpp>

#include "anneal/base/error.hpp"
#include "anneal/data/documents.hpp"

namespace anneal {
namespace {

// Keeps the top-level string "text" and passes over the rest without building it.
class TextHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::string text;
  bool found = false;
  bool is_object = false;
  std::string error;

  bool null() override { return value("null"); }
  bool boolean(bool) override { return value("a boolean"); }
  bool number_integer(number_integer_t) override { return value("a number"); }
  bool number_unsigned(number_unsigned_t) override { return value("a number"); }
  bool number_float(number_float_t, const string_t&) override { return value("a number"); }
  bool binary(binary_t&) override { return value("binary"); }
  bool string(string_t& s) override {
    if (depth_ == 1 && at_text_) {
      text = std::move(s);
      found = true;
      at_text_ = false;
      return true;
    }
    return value("a string");
  }
  bool start_object(size_t) override {
    if (depth_ == 0) is_object = true;
    if (!value("an object")) return false;
    ++depth_;
    return true;
  }
  bool start_array(size_t) override {
    if (!value("an array")) return false;
    ++depth_;
    return true;
  }
  bool end_object() override { return --depth_, true; }
  bool end_array() override { return --depth_, true; }
  bool key(string_t& k) override {
    at_text_ = depth_ == 1 && k == "text";
    if (at_text_ && found) {
      error = "\"text\" stands twice";
      return false;
    }
    return true;
  }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::json::exception& e) override {
    std::string_view what = e.what();
    size_t at = what.find("syntax error");
    error =
        str("not valid JSON at byte ", position, at == what.npos ? "" : str(": ", what.substr(at)));
    return false;
  }

 private:
  bool value(const char* what) {
    if (depth_ == 1 && at_text_) {
      error = str("expected a string \"text\", got ", what);
      return false;
    }
    return true;
  }

  int64_t depth_ = 0;
  bool at_text_ = false;
};

}  // namespace

std::string json_text(std::string_view line, const std::string& path, int64_t line_number) {
  TextHandler handler;
  nlohmann::json::sax_parse(line.begin(), line.end(), &handler);
  if (handler.error.empty() && !handler.is_object)
    handler.error = "expected a JSON object with a string \"text\"";
  if (handler.error.empty() && !handler.found)
    handler.error = "expected a string \"text\" in the object, got none";
  if (!handler.error.empty())
    throw UsageError(str("[", path, ":", line_number, "] ", handler.error,
                         " (each line is one document: {\"text\": \"…\"})"));
  return std::move(handler.text);
}

}  // namespace anneal
