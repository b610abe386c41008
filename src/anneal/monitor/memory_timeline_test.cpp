#include "anneal/monitor/memory_timeline.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "anneal/base/error.hpp"
#include "anneal/monitor/testing/xml_check.hpp"

namespace anneal {
namespace {

constexpr double infinity = INFINITY;
constexpr int64_t mib = 1 << 20;
// The map of the arena: 1088 pixels from x = 92, 480 pixels high.
constexpr double left = 92, width = 1088, height = 480;

MemoryTimeline small_step() {
  MemoryTimeline t;
  t.title = "Memory of a step";
  t.arena_bytes = 8 * mib;
  t.rectangles = {{"w", "weights", 0, 4 * mib, -infinity, infinity},
                  {"h", "activations", 4 * mib, 2 * mib, 0, 0.003},
                  {"y", "activations", 6 * mib, 2 * mib, 0.001, 0.002}};
  t.live = {{0, 6 * mib}, {0.001, 8 * mib}, {0.002, 6 * mib}, {0.003, 4 * mib}};
  t.marks = {{0, "forward"}, {0.002, "backward"}, {0, "h.0", 1}, {0.001, "h.1", 1}};
  t.end = 0.004;
  return t;
}

struct Drawing {
  explicit Drawing(const MemoryTimeline& timeline)
      : svg(memory_timeline_svg(timeline)), elements(parse_xml(svg)) {
    for (const auto& element : elements) {
      auto it = element.attributes.find("class");
      if (element.name == "rect" && it != element.attributes.end() &&
          (it->second == "value" || it->second == "thin"))
        values.push_back(element);
    }
  }

  const XmlElement& value(const std::string& name) const {
    for (const auto& element : values)
      if (element.title.substr(0, element.title.find('\n')) == name) return element;
    throw std::runtime_error("no value " + name);
  }
  std::vector<std::string> texts(std::string_view css_class) const {
    std::vector<std::string> texts;
    for (const auto& element : with_class(elements, "text", css_class))
      texts.push_back(element.text);
    return texts;
  }

  std::string svg;
  std::vector<XmlElement> elements, values;
};

TEST(MemoryTimeline, PlacesValuesByTimeAndOffset) {
  const Drawing drawing(small_step());
  ASSERT_EQ(drawing.values.size(), 3u);
  const auto &w = drawing.value("w"), &h = drawing.value("h"), &y = drawing.value("y");
  EXPECT_DOUBLE_EQ(w.number("x"), left);
  EXPECT_DOUBLE_EQ(w.number("width"), width);
  EXPECT_DOUBLE_EQ(w.number("height"), height / 2);
  EXPECT_DOUBLE_EQ(h.number("x"), left);
  EXPECT_DOUBLE_EQ(h.number("width"), width * 3 / 4);
  EXPECT_DOUBLE_EQ(h.number("height"), height / 4);
  EXPECT_DOUBLE_EQ(h.number("y") + h.number("height"), w.number("y"));
  EXPECT_DOUBLE_EQ(y.number("x"), left + width / 4);
  EXPECT_DOUBLE_EQ(y.number("width"), width / 4);
  EXPECT_DOUBLE_EQ(y.number("y") + y.number("height"), h.number("y"));
  EXPECT_EQ(w.title, "w\nweights, 4.00 MiB at 0 bytes\nalways live");
  EXPECT_EQ(y.title, "y\nactivations, 2.00 MiB at 6.00 MiB\nlive from 1.00 ms to 2.00 ms");
  EXPECT_EQ(h.attributes.at("fill"), y.attributes.at("fill"));
  EXPECT_NE(h.attributes.at("fill"), w.attributes.at("fill"));
}

TEST(MemoryTimeline, NamesClassesPhasesAndParts) {
  const Drawing drawing(small_step());
  EXPECT_EQ(drawing.texts("legend"),
            (std::vector<std::string>{"weights", "activations", "live", "peak", "arena"}));
  EXPECT_EQ(drawing.texts("phase"), (std::vector<std::string>{"forward", "backward"}));
  EXPECT_EQ(drawing.texts("part"), (std::vector<std::string>{"h.0", "h.1"}));
  EXPECT_EQ(drawing.texts("subtitle")[0],
            "arena 8.00 MiB, of which at most 8.00 MiB live (100.0 %) at 1.00 ms");
  EXPECT_EQ(drawing.texts("tick-x").front(), "0.0 ms");
  EXPECT_EQ(drawing.texts("tick-x").back(), "4.0 ms");
  EXPECT_EQ(drawing.texts("tick-y").back(), "8 MiB");
}

TEST(MemoryTimeline, OrderOfClassesCanBeGiven) {
  MemoryTimeline timeline = small_step();
  timeline.classes = {"gradients", "activations"};
  const Drawing drawing(timeline);
  const auto legend = drawing.texts("legend");
  EXPECT_EQ(legend[0], "activations");
  EXPECT_EQ(legend[1], "weights");
  // A class that does not occur keeps its colour all the same.
  timeline.classes = {"activations"};
  EXPECT_NE(drawing.value("h").attributes.at("fill"),
            Drawing(timeline).value("h").attributes.at("fill"));
}

// "x y" pairs of a path of M, H and V, in pixels.
std::vector<std::pair<double, double>> corners(const std::string& path) {
  std::vector<std::pair<double, double>> corners;
  double x = 0, y = 0;
  const char *at = path.data(), *end = at + path.size();
  while (at != end) {
    const char command = *at++;
    at = std::from_chars(at, end, command == 'V' ? y : x).ptr;
    if (command == 'M') at = std::from_chars(at + 1, end, y).ptr;
    corners.push_back({x, y});
  }
  return corners;
}

TEST(MemoryTimeline, CurveStepsWhereLiveBytesChange) {
  const Drawing drawing(small_step());
  const auto curve = with_class(drawing.elements, "path", "curve");
  ASSERT_EQ(curve.size(), 1u);
  const auto points = corners(curve[0].attributes.at("d"));
  const auto arena =
      with_class(drawing.elements, "line", "arena").back();  // the first is the legend's
  const auto peak = with_class(drawing.elements, "circle", "peak").back();
  EXPECT_DOUBLE_EQ(peak.number("cx"), left + width / 4);
  EXPECT_DOUBLE_EQ(peak.number("cy"), arena.number("y1"));
  EXPECT_DOUBLE_EQ(points.front().first, left);
  EXPECT_DOUBLE_EQ(points.back().first, left + width);
  const double top = arena.number("y1");
  const auto highest = std::min_element(points.begin(), points.end(),
                                        [](auto& a, auto& b) { return a.second < b.second; });
  EXPECT_DOUBLE_EQ(highest->second, top);
  EXPECT_NEAR(points.back().second - top, 120 / 1.1 / 2, 0.01);  // half of the arena
}

TEST(MemoryTimeline, ASingleSpikeAmongManyPointsIsDrawn) {
  MemoryTimeline timeline;
  timeline.axis = MemoryTimeline::Axis::nodes;
  timeline.arena_bytes = 1000;
  for (int i = 0; i < 100'000; ++i)
    timeline.live.push_back({double(i), i == 54'321 ? 1000 : i % 7});
  const Drawing drawing(timeline);
  EXPECT_LT(drawing.svg.size(), 200'000u);
  const auto points = corners(with_class(drawing.elements, "path", "curve")[0].attributes.at("d"));
  const double top = with_class(drawing.elements, "line", "arena").back().number("y1");
  const double x = left + width * 54'321 / 99'999;
  const auto highest = std::min_element(points.begin(), points.end(),
                                        [](auto& a, auto& b) { return a.second < b.second; });
  EXPECT_DOUBLE_EQ(highest->second, top);
  EXPECT_NEAR(highest->first, x, 0.5);
  EXPECT_NE(drawing.texts("subtitle")[0].find("at node 54321"), std::string::npos);
  EXPECT_EQ(
      std::count_if(points.begin(), points.end(), [&](auto& p) { return p.second < top + 1; }), 1);
}

TEST(MemoryTimeline, ThinNeighboursBecomeOneBandThatCountsThem) {
  MemoryTimeline timeline = small_step();
  timeline.arena_bytes = 480 * mib;  // a pixel each
  timeline.rectangles.clear();
  for (int i = 0; i < 100; ++i)
    timeline.rectangles.push_back(
        {str("w", i), "weights", i * mib / 2, mib / 2 - 64, -infinity, infinity});
  timeline.rectangles.push_back({"m", "moments", 50 * mib, mib / 2, -infinity, infinity});
  timeline.rectangles.push_back({"far", "weights", 60 * mib, mib / 2, -infinity, infinity});
  const Drawing drawing(timeline);
  ASSERT_EQ(drawing.values.size(), 3u);
  const auto& band = drawing.value("w0 … w99 (100 values)");
  EXPECT_NEAR(band.number("height"), 50, 0.02);
  EXPECT_EQ(band.title, "w0 … w99 (100 values)\nweights, 49.99 MiB at 0 bytes\nalways live");
}

TEST(MemoryTimeline, LeavesOutWhatCannotBeSeenAndSaysSo) {
  MemoryTimeline timeline = small_step();
  for (int i = 0; i < 1000; ++i)
    timeline.rectangles.push_back({"s", "state", 7 * mib, 1024, i * 4e-6, i * 4e-6 + 2e-6});
  const Drawing drawing(timeline);
  EXPECT_EQ(drawing.values.size(), 3u);
  EXPECT_EQ(drawing.texts("note"),
            (std::vector<std::string>{"too small to draw: 1000 values of at most 1.00 KiB"}));
}

TEST(MemoryTimeline, IgnoresWhatHasNoPlaceOrTime) {
  MemoryTimeline timeline = small_step();
  timeline.rectangles.push_back({"a", "weights", 0, 0, 0, 1});
  timeline.rectangles.push_back({"b", "weights", -8, 8, 0, 1});
  timeline.rectangles.push_back({"c", "weights", 0, 8, NAN, 1});
  timeline.rectangles.push_back({"d", "weights", 0, 8 * mib, 0.003, 0.003});
  timeline.rectangles.push_back({"e", "weights", 0, 8 * mib, 5, 6});  // after the axis
  EXPECT_EQ(Drawing(timeline).values.size(), 3u);
}

TEST(MemoryTimeline, LabelsDoNotOverlap) {
  MemoryTimeline timeline = small_step();
  timeline.marks = {{0, "forward"}, {0.00001, "between"}, {0.0039, "update"}};
  for (int i = 0; i < 96; ++i) timeline.marks.push_back({i * 4e-5, str("h.", i), 1});
  const Drawing drawing(timeline);
  EXPECT_EQ(drawing.texts("phase"), (std::vector<std::string>{"forward", "update"}));
  double free_from = 0;
  const auto parts = with_class(drawing.elements, "text", "part");
  EXPECT_GT(parts.size(), 20u);
  for (const auto& part : parts) {
    const double half = static_cast<double>(part.text.size()) * 2.2;
    EXPECT_GE(part.number("x") - half, free_from) << part.text;
    free_from = part.number("x") + half;
  }
}

TEST(MemoryTimeline, PanelsWithoutDataAreLeftOut) {
  MemoryTimeline timeline = small_step();
  timeline.live.clear();
  const Drawing map_only(timeline);
  EXPECT_EQ(map_only.values.size(), 3u);
  EXPECT_TRUE(with_class(map_only.elements, "path", "curve").empty());
  EXPECT_EQ(map_only.texts("panel-title"), (std::vector<std::string>{"place in the arena"}));
  timeline = small_step();
  timeline.rectangles.clear();
  const Drawing curve_only(timeline);
  EXPECT_EQ(curve_only.texts("panel-title"), (std::vector<std::string>{"live bytes"}));
  const Drawing nothing(MemoryTimeline{"Nothing"});
  EXPECT_EQ(nothing.texts("empty"), (std::vector<std::string>{"No memory use was recorded."}));
}

TEST(MemoryTimeline, AnyNameGivesAWellFormedDocument) {
  MemoryTimeline timeline = small_step();
  timeline.title = timeline.subtitle = "<&\">\x01\xFF";
  timeline.rectangles[0].name = timeline.rectangles[0].memory_class = "a<b> & \"c\"";
  timeline.marks[0].label = timeline.marks[2].label = "<&>";
  const Drawing drawing(timeline);
  EXPECT_EQ(drawing.value("a<b> & \"c\"").number("x"), left);
  EXPECT_EQ(drawing.svg, memory_timeline_svg(timeline));
}

}  // namespace
}  // namespace anneal
