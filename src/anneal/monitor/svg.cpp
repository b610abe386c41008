#include "anneal/monitor/svg.hpp"

#include <utility>

#include "anneal/monitor/plot_text.hpp"

namespace anneal {
namespace {

constexpr int coordinate_decimals = 2;

}  // namespace

SvgWriter::SvgWriter(std::string_view name, std::string_view title, std::string_view css)
    : name_(name) {
  out_ += "<title>" + escape_xml(title) + "</title>\n<style>\n";
  out_ += css;
  out_ += "</style>\n";
}

void SvgWriter::attribute(std::string_view name, double value) {
  attribute(name, shortest_fixed(value, coordinate_decimals));
}

void SvgWriter::attribute(std::string_view name, std::string_view value) {
  out_ += ' ';
  out_ += name;
  out_ += "=\"";
  out_ += escape_xml(value);
  out_ += '"';
}

void SvgWriter::close_element(std::string_view element, std::string_view tooltip) {
  if (tooltip.empty()) {
    out_ += "/>\n";
    return;
  }
  out_ += "><title>";
  out_ += escape_xml(tooltip);
  out_ += "</title></";
  out_ += element;
  out_ += ">\n";
}

void SvgWriter::open_group(std::string_view css_class, std::string_view tooltip) {
  out_ += "<g";
  attribute("class", css_class);
  out_ += '>';
  if (!tooltip.empty()) out_ += "<title>" + escape_xml(tooltip) + "</title>";
  out_ += '\n';
}

void SvgWriter::close_group() { out_ += "</g>\n"; }

void SvgWriter::rect(const Box& box, SvgStyle style, std::string_view tooltip) {
  out_ += "<rect";
  attribute("class", style.css_class);
  attribute("x", box.x);
  attribute("y", box.y);
  attribute("width", box.width);
  attribute("height", box.height);
  if (!style.fill.empty()) attribute("fill", style.fill);
  close_element("rect", tooltip);
}

void SvgWriter::line(double x1, double y1, double x2, double y2, std::string_view css_class) {
  out_ += "<line";
  attribute("class", css_class);
  attribute("x1", x1);
  attribute("y1", y1);
  attribute("x2", x2);
  attribute("y2", y2);
  close_element("line", {});
}

void SvgWriter::circle(double x, double y, double radius, std::string_view css_class,
                       std::string_view tooltip) {
  out_ += "<circle";
  attribute("class", css_class);
  attribute("cx", x);
  attribute("cy", y);
  attribute("r", radius);
  close_element("circle", tooltip);
}

void SvgWriter::path(std::string_view data, std::string_view css_class) {
  out_ += "<path";
  attribute("class", css_class);
  attribute("d", data);
  close_element("path", {});
}

void SvgWriter::open_text(double x, double y, std::string_view css_class) {
  out_ += "<text";
  attribute("class", css_class);
  attribute("x", x);
  attribute("y", y);
}

void SvgWriter::close_text(std::string_view content) {
  out_ += '>';
  out_ += escape_xml(content);
  out_ += "</text>\n";
}

void SvgWriter::text(double x, double y, std::string_view content, std::string_view css_class) {
  open_text(x, y, css_class);
  close_text(content);
}

void SvgWriter::vertical_text(double x, double y, std::string_view content,
                              std::string_view css_class) {
  open_text(x, y, css_class);
  attribute("transform", "rotate(-90 " + shortest_fixed(x, coordinate_decimals) + " " +
                             shortest_fixed(y, coordinate_decimals) + ")");
  close_text(content);
}

std::string SvgWriter::finish(double width, double height) {
  const std::string content = std::move(out_);
  const auto w = shortest_fixed(width, coordinate_decimals);
  const auto h = shortest_fixed(height, coordinate_decimals);
  out_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"";
  attribute("class", name_);
  attribute("width", w);
  attribute("height", h);
  attribute("viewBox", "0 0 " + w + " " + h);
  attribute("role", "img");
  out_ += ">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
  return std::move(out_) + content + "</svg>\n";
}

}  // namespace anneal
