#pragma once

#include <string>
#include <string_view>

namespace anneal {

// Lengths are in pixels, y grows downwards, a text's y is its base line.
struct Box {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;
};

// The CSS class of an element and, unless it is "", its fill, which the class then must not set.
struct SvgStyle {
  std::string_view css_class;
  std::string_view fill = {};
};

// Writes a self-contained SVG document on a white ground: no scripts, no outside resources. Texts
// are given as they are and escaped here; `css` and path data are written unchanged.
class SvgWriter {
 public:
  // `name` becomes the class of the document's root element; rules of `css` should begin with it,
  // so that several drawings can stand in one HTML page. `title` is the document's name for a
  // reader of screens and its tooltip.
  SvgWriter(std::string_view name, std::string_view title, std::string_view css);

  // Elements until close_group() share a class and, unless it is "", a tooltip.
  void open_group(std::string_view css_class, std::string_view tooltip = {});
  void close_group();
  void rect(const Box& box, SvgStyle style, std::string_view tooltip = {});
  void line(double x1, double y1, double x2, double y2, std::string_view css_class);
  void circle(double x, double y, double radius, std::string_view css_class,
              std::string_view tooltip = {});
  void path(std::string_view data, std::string_view css_class);
  void text(double x, double y, std::string_view content, std::string_view css_class);
  // The same read upwards.
  void vertical_text(double x, double y, std::string_view content, std::string_view css_class);

  // The document of this size. Call it once, last.
  std::string finish(double width, double height);

 private:
  void attribute(std::string_view name, double value);
  void attribute(std::string_view name, std::string_view value);
  void open_text(double x, double y, std::string_view css_class);
  void close_text(std::string_view content);
  void close_element(std::string_view element, std::string_view tooltip);

  std::string name_, out_;
};

}  // namespace anneal
