#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace anneal {

struct XmlElement {
  std::string name;
  std::map<std::string, std::string> attributes;  // entities resolved
  std::string text;                               // its own, without that of elements within
  std::string title;                              // text of a <title> directly within
  int parent = -1;                                // index of the enclosing element; -1: none

  double number(const std::string& attribute) const;
};

// All elements of a document in the order of their begin. Throws std::runtime_error where it is not
// well-formed: tags that do not balance, attributes without quotes or given twice, bare & or <,
// unknown entities, more than one root.
std::vector<XmlElement> parse_xml(std::string_view document);

// The elements with this name and class.
std::vector<XmlElement> with_class(const std::vector<XmlElement>& elements, std::string_view name,
                                   std::string_view css_class);

}  // namespace anneal
