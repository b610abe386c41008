#include "anneal/monitor/flame_graph.hpp"

#include <gtest/gtest.h>
#include <cmath>

#include "anneal/monitor/testing/xml_check.hpp"

namespace anneal {
namespace {

struct DrawnFrame {
  std::string title, label, fill;
  double x, y, width;
};

// The frames in the order of the file.
std::vector<DrawnFrame> frames_of(const std::string& svg) {
  std::vector<DrawnFrame> frames;
  const auto elements = parse_xml(svg);
  for (const auto& element : elements) {
    if (element.parent < 0) continue;
    const auto& group = elements[static_cast<size_t>(element.parent)];
    if (group.name != "g") continue;
    if (element.name == "rect")
      frames.push_back({group.title, "", element.attributes.at("fill"), element.number("x"),
                        element.number("y"), element.number("width")});
    if (element.name == "text") frames.back().label = element.text;
  }
  return frames;
}

std::string name_of(const DrawnFrame& frame) {
  return frame.title.substr(0, frame.title.find('\n'));
}

std::vector<std::string> names_of(const std::vector<DrawnFrame>& frames) {
  std::vector<std::string> names;
  for (const auto& frame : frames) names.push_back(name_of(frame));
  return names;
}

TEST(FlameGraph, PlacesFramesByTimeOverTheirCaller) {
  FlameGraph graph{"Step", "", {}, 1032};  // 1000 pixels between the margins
  graph.stacks = {{{"forward", "attn"}, 0.2},
                  {{"forward"}, 0.1},
                  {{"backward"}, 0.6},
                  {{"forward", "mlp"}, 0.1}};
  const auto frames = frames_of(flame_graph_svg(graph));
  ASSERT_EQ(names_of(frames),
            (std::vector<std::string>{"all", "forward", "attn", "backward", "mlp"}));
  EXPECT_DOUBLE_EQ(frames[0].x, 16);
  EXPECT_DOUBLE_EQ(frames[0].width, 1000);
  EXPECT_DOUBLE_EQ(frames[1].x, 16);
  EXPECT_DOUBLE_EQ(frames[1].width, 400);
  EXPECT_DOUBLE_EQ(frames[2].x, 16);
  EXPECT_DOUBLE_EQ(frames[2].width, 200);
  EXPECT_DOUBLE_EQ(frames[3].x, 416);
  EXPECT_DOUBLE_EQ(frames[3].width, 600);
  EXPECT_DOUBLE_EQ(frames[4].x, 216);  // beside attn, in the order of appearance
  EXPECT_DOUBLE_EQ(frames[4].width, 100);
  EXPECT_DOUBLE_EQ(frames[1].y, frames[0].y - 20);
  EXPECT_DOUBLE_EQ(frames[2].y, frames[1].y - 20);
  EXPECT_EQ(frames[1].title, "forward\n400.0 ms, 40.0 %\nitself 100.0 ms, 10.0 %");
  EXPECT_EQ(frames[3].title, "backward\n600.0 ms, 60.0 %");
  EXPECT_EQ(frames[3].label, "backward");
}

TEST(FlameGraph, EqualStacksBecomeOneFrameAndOneRootStandsAlone) {
  FlameGraph graph;
  for (int i = 0; i < 4; ++i) {
    graph.stacks.push_back({{"step", "a"}, 0.25});
    graph.stacks.push_back({{"step", "b"}, 0.25});
  }
  const auto frames = frames_of(flame_graph_svg(graph));
  EXPECT_EQ(names_of(frames), (std::vector<std::string>{"step", "a", "b"}));
  EXPECT_EQ(frames[1].title, "a\n1.00 s, 50.0 %");
}

TEST(FlameGraph, FramesTooNarrowToSeeKeepTheirPlace) {
  FlameGraph graph{"", "", {}, 1032};
  graph.stacks = {
      {{"wide"}, 0.9998}, {{"narrow", "leaf"}, 0.0001}, {{"less"}, 0.0001}, {{"last"}, 1}};
  const auto frames = frames_of(flame_graph_svg(graph));
  ASSERT_EQ(names_of(frames), (std::vector<std::string>{"all", "wide", "last"}));
  EXPECT_DOUBLE_EQ(frames[2].x, 516);
}

TEST(FlameGraph, ColoursFollowNamesWithoutTheirNumbers) {
  FlameGraph graph;
  graph.stacks = {{{"h.0", "qkv"}, 1}, {{"h.11", "qkv"}, 1}, {{"head"}, 1}};
  const auto frames = frames_of(flame_graph_svg(graph));
  ASSERT_EQ(frames.size(), 6u);
  EXPECT_EQ(frames[1].fill, frames[3].fill);
  EXPECT_EQ(frames[2].fill, frames[4].fill);
  EXPECT_NE(frames[1].fill, frames[5].fill);
}

TEST(FlameGraph, LabelsAreClippedToTheirFrames) {
  FlameGraph graph{"", "", {}, 1032};
  graph.stacks = {{{"a_rather_long_name"}, 0.06}, {{"another"}, 0.01}, {{"rest"}, 0.93}};
  const auto frames = frames_of(flame_graph_svg(graph));
  EXPECT_EQ(frames[1].label, "a_rath…");
  EXPECT_EQ(frames[2].label, "");
  EXPECT_EQ(frames[3].label, "rest");
}

TEST(FlameGraph, AnyNameGivesAWellFormedDocument) {
  FlameGraph graph{"<&\">", "\x01\xFF", {{{"std::vector<int>&", "\"x\" & y"}, 1}}};
  const auto svg = flame_graph_svg(graph);
  const auto frames = frames_of(svg);
  EXPECT_EQ(names_of(frames), (std::vector<std::string>{"std::vector<int>&", "\"x\" & y"}));
  EXPECT_EQ(svg, flame_graph_svg(graph));
}

TEST(FlameGraph, WithoutTimeItSaysSo) {
  FlameGraph graph{
      "Nothing", "", {{{}, 1}, {{"a"}, 0}, {{"b"}, NAN}, {{"c"}, -1}, {{"d"}, INFINITY}}};
  const auto elements = parse_xml(flame_graph_svg(graph));
  const auto texts = with_class(elements, "text", "empty");
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_EQ(texts[0].text, "No time was recorded.");
  EXPECT_TRUE(with_class(elements, "g", "frame").empty());
}

TEST(FlameGraph, DeepStacksStayInTheDrawing) {
  FlameGraph graph;
  graph.stacks = {{std::vector<std::string>(300, "f"), 1}};
  const auto svg = flame_graph_svg(graph);
  const auto frames = frames_of(svg);
  ASSERT_EQ(frames.size(), 300u);
  EXPECT_GT(frames.back().y, 50);
  EXPECT_LT(frames.front().y + 20, parse_xml(svg)[0].number("height"));
}

}  // namespace
}  // namespace anneal
