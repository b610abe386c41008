#include "anneal/monitor/testing/xml_check.hpp"

#include <cctype>
#include <charconv>
#include <stdexcept>

namespace anneal {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view document) : rest_(document) {}

  std::vector<XmlElement> parse() {
    if (rest_.starts_with("<?xml ")) take_until("?>");
    while (!rest_.empty()) {
      if (rest_.front() != '<') {
        text();
      } else if (rest_.starts_with("</")) {
        end_tag();
      } else {
        begin_tag();
      }
    }
    check(open_.empty() && !elements_.empty(), "an element is not closed");
    return std::move(elements_);
  }

 private:
  void check(bool condition, const std::string& breach) const {
    if (!condition)
      throw std::runtime_error(breach + " before " + std::string(rest_.substr(0, 60)));
  }

  std::string_view take_until(std::string_view end) {
    const size_t at = rest_.find(end);
    check(at != rest_.npos, "no " + std::string(end));
    const auto taken = rest_.substr(0, at);
    rest_.remove_prefix(at + end.size());
    return taken;
  }

  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string name() {
    size_t end = 0;
    while (end < rest_.size() && (std::isalnum(static_cast<unsigned char>(rest_[end])) ||
                                  rest_[end] == '-' || rest_[end] == ':'))
      ++end;
    check(end > 0, "no name");
    std::string taken(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return taken;
  }

  std::string resolve(std::string_view raw) const {
    static const std::map<std::string_view, char> entities = {
        {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}};
    std::string resolved;
    for (size_t i = 0; i < raw.size(); ++i) {
      check(raw[i] != '<', "bare <");
      check(static_cast<unsigned char>(raw[i]) >= ' ' || raw[i] == '\n', "control character");
      if (raw[i] != '&') {
        resolved += raw[i];
        continue;
      }
      const size_t end = raw.find(';', i);
      check(end != raw.npos && entities.contains(raw.substr(i + 1, end - i - 1)), "unknown entity");
      resolved += entities.at(raw.substr(i + 1, end - i - 1));
      i = end;
    }
    return resolved;
  }

  void text() {
    const size_t end = std::min(rest_.find('<'), rest_.size());
    const auto content = resolve(rest_.substr(0, end));
    rest_.remove_prefix(end);
    if (open_.empty())
      check(content.find_first_not_of(" \n") == content.npos, "text outside the root");
    else
      elements_[static_cast<size_t>(open_.back())].text += content;
  }

  void begin_tag() {
    take('<');
    check(!open_.empty() || elements_.empty(), "a second root");
    XmlElement element;
    element.name = name();
    element.parent = open_.empty() ? -1 : open_.back();
    while (take(' ')) {
      const auto key = name();
      check(take('=') && take('"'), "no quoted value of " + key);
      const bool fresh = element.attributes.emplace(key, resolve(take_until("\""))).second;
      check(fresh, "a second " + key);
    }
    const bool closed = take('/');
    check(take('>'), "a tag is not closed");
    if (!closed) open_.push_back(static_cast<int>(elements_.size()));
    elements_.push_back(std::move(element));
  }

  void end_tag() {
    take('<');
    take('/');
    const auto closed = name();
    check(
        take('>') && !open_.empty() && elements_[static_cast<size_t>(open_.back())].name == closed,
        "</" + closed + "> closes nothing");
    const auto& element = elements_[static_cast<size_t>(open_.back())];
    if (closed == "title" && element.parent >= 0)
      elements_[static_cast<size_t>(element.parent)].title = element.text;
    open_.pop_back();
  }

  std::string_view rest_;
  std::vector<XmlElement> elements_;
  std::vector<int> open_;
};

}  // namespace

double XmlElement::number(const std::string& attribute) const {
  const std::string& value = attributes.at(attribute);
  double number = 0;
  auto result = std::from_chars(value.data(), value.data() + value.size(), number);
  if (result.ec != std::errc{} || result.ptr != value.data() + value.size())
    throw std::runtime_error(attribute + " is no number: " + value);
  return number;
}

std::vector<XmlElement> parse_xml(std::string_view document) { return Parser(document).parse(); }

std::vector<XmlElement> with_class(const std::vector<XmlElement>& elements, std::string_view name,
                                   std::string_view css_class) {
  std::vector<XmlElement> found;
  for (const auto& element : elements) {
    auto it = element.attributes.find("class");
    if (element.name == name && it != element.attributes.end() && it->second == css_class)
      found.push_back(element);
  }
  return found;
}

}  // namespace anneal
