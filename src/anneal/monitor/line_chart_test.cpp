#include "anneal/monitor/line_chart.hpp"

#include <gtest/gtest.h>
#include <cmath>
#include <sstream>

#include "anneal/base/error.hpp"
#include "anneal/monitor/chart_path.hpp"
#include "anneal/monitor/chart_scale.hpp"
#include "anneal/monitor/testing/xml_check.hpp"

namespace anneal {
namespace {

std::vector<ChartPoint> line_of(std::initializer_list<double> ys) {
  std::vector<ChartPoint> points;
  for (double y : ys) points.push_back({static_cast<double>(points.size()), y});
  return points;
}

std::vector<std::string> texts(const std::string& svg, std::string_view css_class) {
  std::vector<std::string> out;
  for (const auto& element : with_class(parse_xml(svg), "text", css_class))
    out.push_back(element.text);
  return out;
}

// Every number in the paths of a drawing, x and y by turns.
std::vector<double> path_numbers(const std::string& svg) {
  std::vector<double> numbers;
  for (const auto& element : parse_xml(svg)) {
    if (element.name != "path") continue;
    std::string data = element.attributes.at("d");
    for (char& c : data)
      if (c == 'M' || c == 'L') c = ' ';
    std::istringstream in(data);
    for (double value; in >> value;) numbers.push_back(value);
  }
  return numbers;
}

std::vector<std::string> tick_texts(const ChartAxis& axis, double low, double high) {
  std::vector<std::string> out;
  const ChartScale scale(axis, low, high, false, 6);
  for (const auto& tick : scale.ticks()) out.push_back(tick.text);
  return out;
}

using Texts = std::vector<std::string>;

TEST(LineChart, NamesSeriesAxesAndTicks) {
  LineChart chart{
      "Loss", {"step"}, {"nats"}, {{"a", line_of({3, 2, 1})}, {"", line_of({2, 2, 2})}}};
  const std::string svg = line_chart_svg(chart);
  EXPECT_EQ(texts(svg, "title"), Texts{"Loss"});
  EXPECT_EQ(texts(svg, "legend"), Texts{"a"});  // a series without a name is not explained
  EXPECT_EQ(texts(svg, "axis-title"), (Texts{"step", "nats"}));
  EXPECT_EQ(texts(svg, "tick-x"), (Texts{"0", "0.5", "1.0", "1.5", "2.0"}));
  EXPECT_EQ(texts(svg, "tick-y"), (Texts{"1.0", "1.5", "2.0", "2.5", "3.0"}));
}

TEST(LineChart, PlacesPointsLinearlyAndHigherValuesHigher) {
  LineChart chart{"", {"x"}, {"y"}, {{"a", line_of({0, 1, 2})}}};
  auto n = path_numbers(line_chart_svg(chart));
  ASSERT_EQ(n.size(), 6u);
  EXPECT_NEAR(n[2] - n[0], n[4] - n[2], 0.11);
  EXPECT_NEAR(n[1] - n[3], n[3] - n[5], 0.11);
  EXPECT_GT(n[1], n[5]);
  EXPECT_GT(n[0], 30);
  EXPECT_LT(n[4], 560);
}

TEST(LineChart, LogarithmicAxisIsEvenInFactorsAndLeavesOutWhatHasNone) {
  LineChart chart{"", {"x"}, {"y"}, {{"a", line_of({1, 10, 100})}}};
  chart.y.log = true;
  auto n = path_numbers(line_chart_svg(chart));
  ASSERT_EQ(n.size(), 6u);
  EXPECT_NEAR(n[1] - n[3], n[3] - n[5], 0.11);
  chart.series[0].points = line_of({0, -1, NAN});
  EXPECT_EQ(texts(line_chart_svg(chart), "empty").size(), 1u);
}

TEST(LineChart, GapsBreakTheLineAndLonelyPointsAreDots) {
  LineChart chart{"", {"x"}, {"y"}, {{"a", line_of({1, 2, NAN, 3, INFINITY, 4, 5})}}};
  const std::string svg = line_chart_svg(chart);
  int moves = 0, dots = 0;
  for (const auto& element : parse_xml(svg)) {
    if (element.name == "path")
      for (char c : element.attributes.at("d")) moves += c == 'M';
    dots += element.name == "circle";
  }
  EXPECT_EQ(moves, 2);
  EXPECT_EQ(dots, 1);
}

TEST(LineChart, WhatIsAboveTheAxisIsCutWithoutATrace) {
  LineChart chart{"", {"x"}, {"y"}, {{"a", line_of({1, 2, 900, 3, 900, 1, 2})}}};
  chart.y.most = 10;
  const std::string svg = line_chart_svg(chart);
  EXPECT_TRUE(texts(svg, "tick-y").back() == "3.0") << texts(svg, "tick-y").back();
  EXPECT_EQ(svg.find("<circle"), std::string::npos);
}

TEST(LineChart, OnePointAndEqualValuesHaveAnAxisAroundThem) {
  for (auto ys : {line_of({5}), line_of({5, 5, 5}), line_of({0}), line_of({-2, -2})}) {
    LineChart chart{"", {"x"}, {"y"}, {{"a", ys}}};
    const std::string svg = line_chart_svg(chart);
    EXPECT_GE(texts(svg, "tick-y").size(), 2u);
    EXPECT_EQ(svg.find("nan"), std::string::npos);
    EXPECT_EQ(svg.find("inf"), std::string::npos);
  }
}

TEST(LineChart, AMillionPointsStaySmallAndKeepTheirExtremes) {
  LineChart chart{"", {"x"}, {"y"}, {{"a", {}}}};
  auto& points = chart.series[0].points;
  for (int i = 0; i < 1000000; ++i) points.push_back({double(i), std::sin(i * 0.1)});
  points[777777].y = 50;
  points[222222].y = -50;
  const std::string svg = line_chart_svg(chart);
  EXPECT_LT(svg.size(), 60000u);
  auto n = path_numbers(svg);
  double low = 1e9, high = -1e9, high_x = 0;
  for (size_t i = 0; i < n.size(); i += 2) {
    if (n[i + 1] < low) low = n[i + 1], high_x = n[i];
    high = std::max(high, n[i + 1]);
  }
  EXPECT_GT(high - low, 180);  // most of the plot's height
  EXPECT_NEAR((high_x - n[0]) / (n[n.size() - 2] - n[0]), 0.777777, 0.003);
}

TEST(LineChart, ThinningKeepsFirstLowestHighestAndLastOfAColumn) {
  std::vector<ChartPoint> line = {{1.0, 5}, {1.2, 9}, {1.3, 6}, {1.4, 2}, {1.9, 4}, {2.0, 1}};
  std::vector<double> ys;
  for (const auto& point : thinned(line)) ys.push_back(point.y);
  EXPECT_EQ(ys, (std::vector<double>{5, 9, 2, 4, 1}));
}

TEST(LineChart, TicksAreInTheUnitThatSuits) {
  EXPECT_EQ(tick_texts({"step"}, 0, 100000), (Texts{"0", "20k", "40k", "60k", "80k", "100k"}));
  EXPECT_EQ(tick_texts({"lr"}, 0, 6e-4), (Texts{"0", "2e-4", "4e-4", "6e-4"}));
  EXPECT_EQ(tick_texts({"n", AxisKind::number, true}, 0.01, 1000),
            (Texts{"0.01", "0.1", "1", "10", "100", "1000"}));
  EXPECT_EQ(tick_texts({"n", AxisKind::number, true}, 1, 10), (Texts{"1", "2", "5", "10"}));
  EXPECT_EQ(ChartScale({"time", AxisKind::seconds}, 0, 600, false, 5).label(), "time (min)");
  EXPECT_EQ(ChartScale({"step", AxisKind::seconds}, 0, 0.02, false, 5).label(), "step (ms)");
  EXPECT_EQ(ChartScale({"memory", AxisKind::bytes}, 0, 3e9, false, 5).label(), "memory (GiB)");
  EXPECT_EQ(tick_texts({"mfu", AxisKind::share}, 0, 1),
            (Texts{"0", "20", "40", "60", "80", "100"}));
}

TEST(LineChart, HostileTextIsEscapedAndLongTextCut) {
  LineChart chart{"<b>&\"", {"</svg>"}, {"y\x01"}, {{std::string(500, 'W'), line_of({1, 2})}}};
  const std::string svg = line_chart_svg(chart);
  EXPECT_EQ(texts(svg, "title"), Texts{"<b>&\""});
  EXPECT_LT(texts(svg, "legend").at(0).size(), 100u);
}

TEST(LineChart, ManySeriesWrapTheLegendAndStayApart) {
  LineChart chart{"", {"x"}, {"y"}, {}};
  for (int i = 0; i < 12; ++i)
    chart.series.push_back({"a run with a long name " + std::to_string(i), line_of({1, 2})});
  const auto elements = parse_xml(line_chart_svg(chart));
  double last = 0;
  for (const auto& element : with_class(elements, "text", "legend")) {
    EXPECT_GE(element.number("y"), last);
    last = element.number("y");
  }
  EXPECT_GT(last, 100);
  for (const auto& element : with_class(elements, "line", "grid"))
    EXPECT_GT(element.number("y1"), last);
  for (size_t i = 1; i < 7; ++i) EXPECT_NE(chart_colour(0), chart_colour(i));
}

TEST(LineChart, RefusesWhatIsNoColour) {
  LineChart chart{"", {"x"}, {"y"}, {{"a", line_of({1, 2}), "red; }"}}};
  EXPECT_THROW(line_chart_svg(chart), InternalError);
}

TEST(LineChart, SmoothingIsTheMeanAroundAPoint) {
  auto points = smoothed(line_of({1, 2, 6, NAN, 3}), 3);
  EXPECT_DOUBLE_EQ(points[0].y, 1.5);
  EXPECT_DOUBLE_EQ(points[1].y, 3);
  EXPECT_DOUBLE_EQ(points[2].y, 4);
  EXPECT_TRUE(std::isnan(points[3].y));
  EXPECT_DOUBLE_EQ(points[4].y, 3);
  EXPECT_DOUBLE_EQ(smoothed(line_of({1, 2}), 1)[1].y, 2);
}

}  // namespace
}  // namespace anneal
