#include <nlohmann/json.hpp>

#include "anneal/base/error.hpp"
#include "anneal/data/jinja/value.hpp"

namespace anneal::jinja {
namespace {

// Builds values as they are read, so that keys keep their order.
class Handler : public nlohmann::json_sax<nlohmann::json> {
 public:
  Value result;
  std::string error;

  bool null() override { return put(Value::none()); }
  bool boolean(bool b) override { return put(Value::boolean(b)); }
  bool number_integer(number_integer_t i) override { return put(Value::integer(i)); }
  bool number_unsigned(number_unsigned_t i) override {
    if (i > static_cast<uint64_t>(INT64_MAX)) return fail("integers above 2^63 are not supported");
    return put(Value::integer(static_cast<int64_t>(i)));
  }
  bool number_float(number_float_t d, const string_t& text) override {
    // Python keeps all digits of an integer, however long it is.
    if (text.find_first_of(".eE") == text.npos)
      return fail("integers above 2^63 are not supported");
    return put(Value::real(d));
  }
  bool binary(binary_t&) override { return fail("binary is not supported"); }
  bool string(string_t& s) override { return put(Value::text(std::move(s))); }
  bool start_object(size_t) override { return start(false); }
  bool start_array(size_t) override { return start(true); }
  bool end_object() override { return end(); }
  bool end_array() override { return end(); }
  bool key(string_t& k) override {
    open_.back().key = std::move(k);
    return true;
  }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::json::exception& e) override {
    std::string_view what = e.what();
    size_t at = what.find("syntax error");
    return fail(str("not valid JSON at byte ", position,
                    at == what.npos ? "" : str(": ", what.substr(at))));
  }

 private:
  struct Open {
    bool array;
    std::string key;
    std::vector<Value> items;
    Dict members;
  };

  bool fail(std::string what) {
    error = std::move(what);
    return false;
  }
  bool start(bool array) {
    if (open_.size() >= 64) return fail("nested deeper than 64 levels");
    open_.push_back({array, {}, {}, {}});
    return true;
  }
  bool end() {
    Open done = std::move(open_.back());
    open_.pop_back();
    return put(done.array ? Value::list(std::move(done.items))
                          : Value::dict(std::move(done.members)));
  }
  bool put(Value value) {
    if (open_.empty()) {
      result = std::move(value);
    } else if (open_.back().array) {
      open_.back().items.push_back(std::move(value));
    } else {
      open_.back().members.set(std::move(open_.back().key), std::move(value));
    }
    return true;
  }

  std::vector<Open> open_;
};

}  // namespace

Value parse_json(std::string_view text) {
  Handler handler;
  nlohmann::json::sax_parse(text.begin(), text.end(), &handler);
  if (!handler.error.empty()) throw Failure(handler.error);
  return handler.result;
}

}  // namespace anneal::jinja
