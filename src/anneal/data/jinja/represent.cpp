#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "anneal/base/error.hpp"
#include "anneal/data/jinja/text.hpp"
#include "anneal/data/tokenizer/unicode.hpp"
#include "anneal/data/tokenizer/utf8.hpp"

namespace anneal::jinja {
namespace {

std::string hex(const char* format, unsigned value) {
  char out[16];
  std::snprintf(out, sizeof(out), format, value);
  return out;
}

std::string quoted(std::string_view text) {
  bool single = text.find('\'') != text.npos, both = text.find('"') != text.npos;
  char quote = single && !both ? '"' : '\'';
  std::string out(1, quote);
  for (size_t at = 0, size; at < text.size(); at += size) {
    size = character_size(text, at);
    char c = text[at];
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\\' || c == quote) {
      out += {'\\', c};
    } else if (size == 1) {
      unsigned char byte = static_cast<unsigned char>(c);
      byte < 32 || byte == 127 ? void(out += hex("\\x%02x", byte)) : void(out += c);
    } else {
      char32_t code = bpe::utf8_char(text, at).code;
      if (tokenizing::is_printable(code)) {
        out += text.substr(at, size);
      } else {
        out += hex(code < 256 ? "\\x%02x" : code < 65536 ? "\\u%04x" : "\\U%08x", code);
      }
    }
  }
  return out += quote;
}

std::string json_quoted(std::string_view text, bool ascii) {
  std::string out = "\"";
  for (size_t at = 0, size; at < text.size(); at += size) {
    size = character_size(text, at);
    unsigned char c = static_cast<unsigned char>(text[at]);
    constexpr std::string_view special = "\"\\\n\r\t\f\b", letter = "\"\\nrtfb";
    size_t place = special.find(static_cast<char>(c));
    if (place != special.npos) {
      out += {'\\', letter[place]};
    } else if (c < 32) {
      out += hex("\\u%04x", c);
    } else if (size == 1 || !ascii) {
      out += text.substr(at, size);
    } else {
      char32_t code = bpe::utf8_char(text, at).code;
      if (code >= 0x10000) {
        out += hex("\\u%04x", 0xD800 + ((code - 0x10000) >> 10));
        out += hex("\\u%04x", 0xDC00 + ((code - 0x10000) & 0x3FF));
      } else {
        out += hex("\\u%04x", code);
      }
    }
  }
  return out += '"';
}

class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, Budget& budget) : style_(style), budget_(budget) {}

  void write(const Value& value) {
    budget_.step();
    if (value.is_none()) {
      add("null");
    } else if (value.is<bool>()) {
      add(value.truth() ? "true" : "false");
    } else if (value.is<int64_t>()) {
      add(std::to_string(value.as_integer()));
    } else if (value.is<double>()) {
      double d = value.as_real();
      add(std::isnan(d) ? "NaN" : std::isinf(d) ? d > 0 ? "Infinity" : "-Infinity" : real_text(d));
    } else if (value.is_text()) {
      add(json_quoted(value.as_text(), style_.ascii));
    } else if (value.is_list() && value.as_list().kind <= List::Kind::tuple) {
      write_list(value.as_list().items);
    } else if (value.is_dict()) {
      write_dict(value.as_dict());
    } else {
      throw Failure(str("a ", value.type_name(), " cannot be written as JSON"));
    }
  }

  std::string finish() { return std::move(out_); }

 private:
  void add(std::string_view text) {
    budget_.allocate(static_cast<int64_t>(text.size()));
    out_ += text;
  }
  void new_line() {
    if (!style_.indented) return;
    add("\n");
    for (int i = 0; i < level_; ++i) add(style_.indent);
  }

  void write_list(const std::vector<Value>& items) {
    if (items.empty()) return add("[]");
    add("[");
    ++level_;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) add(style_.item);
      new_line();
      write(items[i]);
    }
    --level_;
    new_line();
    add("]");
  }

  void write_dict(const Dict& dict) {
    if (dict.members().empty()) return add("{}");
    std::vector<const Dict::Member*> members;
    for (const Dict::Member& member : dict.members()) members.push_back(&member);
    if (style_.sorted)
      std::sort(members.begin(), members.end(),
                [](auto* a, auto* b) { return a->first < b->first; });
    add("{");
    ++level_;
    for (size_t i = 0; i < members.size(); ++i) {
      if (i > 0) add(style_.item);
      new_line();
      add(json_quoted(members[i]->first, style_.ascii));
      add(style_.key);
      write(members[i]->second);
    }
    --level_;
    new_line();
    add("}");
  }

  const JsonStyle& style_;
  Budget& budget_;
  std::string out_;
  int level_ = 0;
};

}  // namespace

std::string real_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char digits[64];
  auto end =
      std::to_chars(digits, digits + sizeof(digits), value, std::chars_format::scientific).ptr;
  std::string_view text(digits, static_cast<size_t>(end - digits));
  int exponent = 0;
  size_t e = text.find('e');
  std::from_chars(text.data() + e + (text[e + 1] == '+' ? 2 : 1), end, exponent);
  if (exponent < -4 || exponent >= 16) return std::string(text);
  end = std::to_chars(digits, digits + sizeof(digits), value, std::chars_format::fixed).ptr;
  std::string out(digits, end);
  return out.find('.') == out.npos ? out + ".0" : out;
}

std::string to_text(const Value& value, Budget& budget) {
  if (value.is_undefined()) return "";
  if (value.is_text()) {
    budget.allocate(static_cast<int64_t>(value.as_text().size()));
    return value.as_text();
  }
  return represent(value, budget);
}

std::string represent(const Value& value, Budget& budget) {
  budget.step();
  if (value.is_undefined()) return "Undefined";
  if (value.is_none()) return "None";
  if (value.is<bool>()) return value.truth() ? "True" : "False";
  if (value.is<int64_t>()) return std::to_string(value.as_integer());
  if (value.is<double>()) return real_text(value.as_real());
  std::string out;
  auto add = [&](std::string_view text) {
    budget.allocate(static_cast<int64_t>(text.size()));
    out += text;
  };
  if (value.is_text()) {
    add(quoted(value.as_text()));
  } else if (value.is_list() && value.as_list().kind <= List::Kind::tuple) {
    const List& list = value.as_list();
    bool tuple = list.kind == List::Kind::tuple;
    add(tuple ? "(" : "[");
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) add(", ");
      add(represent(list.items[i], budget));
    }
    add(tuple ? list.items.size() == 1 ? ",)" : ")" : "]");
  } else if (value.is_dict()) {
    add("{");
    for (const Dict::Member& member : value.as_dict().members()) {
      if (out.size() > 1) add(", ");
      add(quoted(member.first));
      add(": ");
      add(represent(member.second, budget));
    }
    add("}");
  } else {
    throw Failure(str("a ", value.type_name(), " has no text of its own to write"));
  }
  return out;
}

std::string to_json(const Value& value, const JsonStyle& style, Budget& budget) {
  JsonWriter writer(style, budget);
  writer.write(value);
  return writer.finish();
}

}  // namespace anneal::jinja
