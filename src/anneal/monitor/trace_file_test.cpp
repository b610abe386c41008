#include "anneal/monitor/trace_file.hpp"

#include <gtest/gtest.h>
#include <cmath>
#include <nlohmann/json.hpp>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

using Json = nlohmann::json;

class TraceFile : public ::testing::Test {
 protected:
  Json written() const { return Json::parse(read_file(path_)); }
  size_t files() const {
    return static_cast<size_t>(
        std::distance(std::filesystem::directory_iterator(folder_.path()), {}));
  }

  TemporaryDirectory folder_;
  std::filesystem::path path_ = folder_.path() / "trace.json";
};

TEST_F(TraceFile, HoldsWhatViewersExpectByteForByte) {
  TraceWriter writer(path_, {"anneal", {"host", "thread 1"}, {{"config", "docs-small"}}});
  writer.span({"matmul", "forward", 1, 10.5, 2.25, {{"scope", "h.3.attn.qkv"}}, {{"GFLOP", 0.5}}});
  writer.span({"wait", "", 0, 1e6 / 3, 0, {}, {}});
  writer.counter({"memory", 12, {{"live", 4096}, {"broken", NAN}}});
  writer.finish();
  EXPECT_EQ(read_file(path_),
            R"({"displayTimeUnit":"ms","otherData":{"config":"docs-small"},"traceEvents":[
{"ph":"M","name":"process_name","pid":1,"tid":1,"args":{"name":"anneal"}},
{"ph":"M","name":"thread_name","pid":1,"tid":1,"args":{"name":"host"}},
{"ph":"M","name":"thread_sort_index","pid":1,"tid":1,"args":{"sort_index":0}},
{"ph":"M","name":"thread_name","pid":1,"tid":2,"args":{"name":"thread 1"}},
{"ph":"M","name":"thread_sort_index","pid":1,"tid":2,"args":{"sort_index":1}},
{"ph":"X","name":"matmul","cat":"forward","pid":1,"tid":2,"ts":10.500,"dur":2.250,"args":{"scope":"h.3.attn.qkv","GFLOP":0.5}},
{"ph":"X","name":"wait","pid":1,"tid":1,"ts":333333.333,"dur":0.000},
{"ph":"C","name":"memory","pid":1,"ts":12.000,"args":{"live":4096}}
]}
)");
}

TEST_F(TraceFile, IsValidWithoutSpans) {
  TraceWriter(path_, {}).finish();
  EXPECT_EQ(written()["traceEvents"].size(), 1u);
  EXPECT_EQ(files(), 1u);
}

TEST_F(TraceFile, NamesOfAnyKindStayText) {
  const std::string name = "a \"quote\", a \\, a \n, a é";
  TraceWriter writer(path_, {name, {name}, {{name, name}}});
  writer.span({name, name, 0, 0, 1, {{name, name}}, {{"speed", INFINITY}}});
  writer.span({"\xFF", "", 0, 1, 1, {}, {}});
  writer.counter({name, 0, {{name, 1.5}}});
  writer.finish();
  const Json json = written(), &events = json["traceEvents"];
  EXPECT_EQ(json["otherData"][name], name);
  EXPECT_EQ(events[0]["args"]["name"], name);
  EXPECT_EQ(events[3]["name"], name);
  EXPECT_EQ(events[3]["args"][name], name);
  EXPECT_EQ(events[3]["args"]["speed"], "inf");
  EXPECT_EQ(events[4]["name"], "\uFFFD");
  EXPECT_EQ(events[5]["args"][name], 1.5);
}

// A viewer that finds a span's end a nanosecond after its parent's draws both wrongly.
TEST_F(TraceFile, NestedSpansNestAfterRounding) {
  TraceWriter writer(path_, {"anneal", {"lane"}, {}});
  for (int i = 0; i < 1000; ++i) {
    const double begin = i * 10 + i * 1e-4, end = begin + 3 + i * 1e-4;
    writer.span({"outer", "", 0, begin, end - begin, {}, {}});
    writer.span({"inner", "", 0, begin + 1.0003, end - (begin + 1.0003), {}, {}});
  }
  writer.finish();
  const Json json = written(), &events = json["traceEvents"];
  const auto end_ns = [](const Json& event) {
    return std::llround(event["ts"].get<double>() * 1000) +
           std::llround(event["dur"].get<double>() * 1000);
  };
  for (size_t i = 3; i < events.size(); i += 2)
    ASSERT_LE(end_ns(events[i + 1]), end_ns(events[i])) << events[i];
}

TEST_F(TraceFile, RefusesSpansOutOfOrder) {
  TraceWriter writer(path_, {"anneal", {"a", "b"}, {}});
  writer.span({"late", "", 0, 10, 1, {}, {}});
  writer.span({"other lane", "", 1, 5, 1, {}, {}});
  EXPECT_THROW(writer.span({"early", "", 0, 9, 1, {}, {}}), InternalError);
  EXPECT_THROW(writer.span({"negative", "", 0, 11, -1, {}, {}}), InternalError);
  EXPECT_THROW(writer.span({"nowhere", "", 2, 11, 1, {}, {}}), InternalError);
  EXPECT_THROW(writer.span({"never", "", 0, NAN, 1, {}, {}}), InternalError);
  writer.finish();
  EXPECT_EQ(written()["traceEvents"].size(), 7u);
}

TEST_F(TraceFile, AppearsOnlyOnceItIsComplete) {
  write_file_atomically(path_, "before");
  {
    TraceWriter writer(path_, {"anneal", {"lane"}, {}});
    writer.span({"a", "", 0, 0, 1, {}, {}});
  }
  EXPECT_EQ(read_file(path_), "before");
  EXPECT_EQ(files(), 1u);
  EXPECT_THROW(TraceWriter(folder_.path() / "missing" / "trace.json", {}), Error);
}

TEST_F(TraceFile, ManySpansArriveInOrder) {
  constexpr int count = 100'000;
  TraceWriter writer(path_, {"anneal", {"lane"}, {}});
  for (int i = 0; i < count; ++i)
    writer.span({"op", "forward", 0, i * 0.75, 0.5, {{"scope", "h.0"}}, {{"index", i}}});
  writer.finish();
  const Json json = written(), &events = json["traceEvents"];
  ASSERT_EQ(events.size(), count + 3u);
  for (size_t i = 0; i < count; i += 997) {
    EXPECT_EQ(events[i + 3]["args"]["index"], i);
    EXPECT_EQ(events[i + 3]["ts"], static_cast<double>(i) * 0.75);
  }
}

}  // namespace
}  // namespace anneal
