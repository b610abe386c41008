#include "anneal/train/profile_files.hpp"

#include <algorithm>
#include <limits>

#include "anneal/monitor/flame_graph.hpp"
#include "anneal/monitor/memory_timeline.hpp"
#include "anneal/monitor/trace_file.hpp"
#include "anneal/passes/liveness.hpp"
#include "anneal/train/memory_plan.hpp"

namespace anneal {
namespace {

// Waits of a thread: for the others at the end of a region or for thread 0 between regions; and for
// a node that thread 0 does alone.
constexpr const char *waiting = "barrier", *alone = "another thread works alone";

constexpr size_t phase_count = static_cast<size_t>(Phase::apply) + 1;

// Shorter gaps say nothing and would double the file.
constexpr int64_t shortest_gap_ns = 1000;

struct Clock {
  int64_t origin;
  double us(int64_t ns) const { return static_cast<double>(ns - origin) * 1e-3; }
};

std::string label_of(const Node& node) {
  return node.scope.empty() ? std::string(node.op->name) : str(node.scope, " ", node.op->name);
}

class TraceLanes {
 public:
  TraceLanes(Recording& recording, TraceWriter& writer)
      : recording_(recording),
        writer_(writer),
        clock_{recording.steps().empty() ? 0 : recording.steps()[0].times.begin} {}

  void write() {
    int64_t number = 0;
    for (const auto& step : recording_.steps()) write_step(step, ++number);
    for (int t = 0; t < recording_.trace().threads(); ++t) write_thread(t);
  }

 private:
  void gap(const char* name, int lane, int64_t begin, int64_t end) {
    if (end - begin < shortest_gap_ns) return;
    writer_.span({.name = name,
                  .category = "gap",
                  .lane = lane,
                  .begin_us = clock_.us(begin),
                  .duration_us = static_cast<double>(end - begin) * 1e-3});
  }

  void write_step(const Recording::Step& step, int64_t number) {
    writer_.span({.name = str("step ", number),
                  .category = "step",
                  .lane = 0,
                  .begin_us = clock_.us(step.times.begin),
                  .duration_us = step.times.seconds() * 1e6});
    gap(data_wait, 0, step.times.begin, step.times.fetched);
    int64_t at = step.times.fetched;
    for (const auto& span : step.nodes) {
      gap(between_programs, 0, at, span.begin);
      const TracedNode& traced = recording_.node(span.tag);
      const Node& node = traced.program->node(traced.node);
      Cost cost = cost_of(*node.op, traced.program->call(traced.node));
      auto ns = static_cast<double>(std::max<int64_t>(1, span.end - span.begin));
      writer_.span({.name = label_of(node),
                    .category = std::string(name_of(node.phase)),
                    .lane = 0,
                    .begin_us = clock_.us(span.begin),
                    .duration_us = ns * 1e-3,
                    .args = {{"program", std::string(traced.program_name)},
                             {"op", std::string(node.op->name)}},
                    .numbers = {{"GFLOP/s", cost.flops / ns}, {"GB/s", cost.bytes / ns}}});
      at = span.end;
    }
    gap(between_programs, 0, at, step.times.end);
  }

  // One thread's part of every node, and its waits.
  void write_thread(int thread) {
    NodeRegions regions(recording_.trace());
    int lane = thread + 1;
    for (const auto& step : recording_.steps())
      for (const auto& node : step.nodes) {
        regions.advance(node);
        auto parts = regions.of(thread);
        int64_t at = node.begin;
        for (size_t i = 0; i < parts.size(); ++i) {
          int64_t begin = std::max(at, parts[i].begin);
          if (thread == 0)
            span_if_long(node.tag, lane, at, begin);
          else
            gap(waiting, lane, at, begin);
          span(node.tag, lane, begin, parts[i].end);
          at = parts[i].end;
          if (thread > 0) continue;
          gap(waiting, lane, at, regions.joined(i));
          at = std::max(at, regions.joined(i));
        }
        if (thread == 0)
          span_if_long(node.tag, lane, at, node.end);
        else
          gap(parts.empty() ? alone : waiting, lane, at, node.end);
      }
  }

  void span_if_long(int64_t tag, int lane, int64_t begin, int64_t end) {
    if (end - begin >= shortest_gap_ns) span(tag, lane, begin, end);
  }

  void span(int64_t tag, int lane, int64_t begin, int64_t end) {
    const TracedNode& traced = recording_.node(tag);
    const Node& node = traced.program->node(traced.node);
    writer_.span({.name = label_of(node),
                  .category = std::string(name_of(node.phase)),
                  .lane = lane,
                  .begin_us = clock_.us(begin),
                  .duration_us = static_cast<double>(end - begin) * 1e-3});
  }

  Recording& recording_;
  TraceWriter& writer_;
  Clock clock_;
};

std::string describe(const Recording& recording) {
  const RunConfig& c = recording.config();
  return str(c.name, ", ", c.train.precision, ", ", c.train.batch, " x ", c.model.context,
             " tokens, ", recording.trace().threads(), " threads");
}

// The rectangles, marks and live bytes of one run of a program.
class MemoryOfRun {
 public:
  MemoryOfRun(Recording& recording, MemoryTimeline& timeline, int64_t origin)
      : recording_(recording), timeline_(timeline), origin_(origin) {}

  void add(std::span<const ThreadTrace::Span> run) {
    const TracedNode& first = recording_.node(run[0].tag);
    const Program& program = *first.program;
    const Session& session = recording_.session();
    const ProgramPlan& plan = session.plan().programs.at(std::string(first.program_name));
    std::vector<int64_t> change(run.size() + 1, 0);
    auto begin_of = [&](int32_t p) {
      return seconds(run[static_cast<size_t>(std::clamp<int32_t>(p, 0, last(run)))].begin);
    };
    auto end_of = [&](int32_t p) {
      return seconds(run[static_cast<size_t>(std::clamp<int32_t>(p, 0, last(run)))].end);
    };
    for (const Buffer& b : assign_buffers(program, session.module())) {
      if (b.persistent >= 0 || b.values.empty()) continue;
      int64_t offset = plan.value_offset[static_cast<size_t>(b.values[0])];
      if (offset < 0) continue;
      NodeId producer = program.info(Value{b.values[0]}).producer;
      std::string name = producer < 0 ? "input" : label_of(program.node(producer));
      timeline_.rectangles.push_back({.name = std::move(name),
                                      .memory_class = "activations",
                                      .offset = offset,
                                      .bytes = b.bytes,
                                      .first = begin_of(b.first),
                                      .last = end_of(b.last)});
      change[static_cast<size_t>(std::clamp<int32_t>(b.first, 0, last(run)))] += b.bytes;
      change[static_cast<size_t>(std::clamp<int32_t>(b.last, 0, last(run))) + 1] -= b.bytes;
    }
    int64_t live = session.plan().persistent_bytes;
    std::string layer;
    for (size_t i = 0; i < run.size(); ++i) {
      const TracedNode& traced = recording_.node(run[i].tag);
      const Node& node = program.node(traced.node);
      int64_t workspace = recording_.target().workspace_bytes(*node.op, program.call(traced.node));
      if (workspace > 0 && plan.workspace_offset[i] >= 0)
        timeline_.rectangles.push_back({.name = label_of(node) + " workspace",
                                        .memory_class = "workspace",
                                        .offset = plan.workspace_offset[i],
                                        .bytes = workspace,
                                        .first = seconds(run[i].begin),
                                        .last = seconds(run[i].end)});
      live += change[i];
      timeline_.live.push_back({seconds(run[i].begin), live + workspace});
      // A constant belongs to what reads it, wherever it stands.
      if (node.inputs.empty()) continue;
      mark(0, name_of(node.phase), seconds(run[i].begin));
      mark(1, layer_of(node.scope), seconds(run[i].begin));
    }
  }

 private:
  static int32_t last(std::span<const ThreadTrace::Span> run) {
    return static_cast<int32_t>(run.size()) - 1;
  }
  double seconds(int64_t ns) const { return static_cast<double>(ns - origin_) * 1e-9; }
  void mark(int level, std::string_view label, double at) {
    std::string& current = current_[level];
    if (current == label) return;
    current = label;
    timeline_.marks.push_back({at, current, level});
  }

  Recording& recording_;
  MemoryTimeline& timeline_;
  int64_t origin_;
  std::string current_[2];
};

}  // namespace

void write_trace(Recording& recording, const std::filesystem::path& path) {
  TraceHeader header;
  header.lanes = {"step"};
  for (int t = 0; t < recording.trace().threads(); ++t) header.lanes.push_back(str("thread ", t));
  header.about = {{"config", describe(recording)}};
  TraceWriter writer(path, header);
  TraceLanes(recording, writer).write();
  writer.finish();
}

std::string flame_graph_of(const Recording& recording) {
  FlameGraph graph{
      .title = "Where a training step spends its time",
      .subtitle = str(describe(recording), ", mean of ", recording.steps().size(), " steps")};
  auto steps = static_cast<double>(recording.steps().size());
  // Phases stand in their order, even where a constant of a later one runs first.
  std::vector<FlameStack> of_phase[phase_count];
  for (const auto& step : recording.steps()) {
    double in_nodes = 0;
    graph.stacks.push_back({{"step", data_wait}, step.times.data_seconds() / steps});
    for (const auto& span : step.nodes) {
      const TracedNode& traced = recording.node(span.tag);
      const Node& node = traced.program->node(traced.node);
      double seconds = static_cast<double>(span.end - span.begin) * 1e-9;
      FlameStack stack{{"step", std::string(name_of(node.phase))}, seconds / steps};
      std::string_view scope = node.scope, layer = scope.substr(0, layer_of(scope).size());
      if (!layer.empty()) stack.frames.emplace_back(layer);
      for (scope.remove_prefix(layer.size()); !scope.empty();) {
        scope.remove_prefix(1);  // the dot
        size_t end = std::min(scope.find('.'), scope.size());
        stack.frames.emplace_back(scope.substr(0, end));
        scope.remove_prefix(end);
      }
      stack.frames.emplace_back(node.op->name);
      of_phase[static_cast<size_t>(node.phase)].push_back(std::move(stack));
      in_nodes += seconds;
    }
    double rest = step.times.seconds() - step.times.data_seconds() - in_nodes;
    of_phase[phase_count - 1].push_back({{"step", between_programs}, rest / steps});
  }
  for (auto& stacks : of_phase)
    for (FlameStack& stack : stacks) graph.stacks.push_back(std::move(stack));
  return flame_graph_svg(graph);
}

std::string memory_timeline_of(Recording& recording) {
  const Session& session = recording.session();
  MemoryTimeline timeline{
      .title = "Memory during a training step",
      .subtitle = describe(recording),
      .arena_bytes = session.plan().arena_bytes,
      .classes = {"weights", "copies", "moments", "gradients", "activations", "workspace"}};
  constexpr double always = std::numeric_limits<double>::infinity();
  const auto& persistents = session.module().persistents;
  for (size_t i = 0; i < persistents.size(); ++i)
    timeline.rectangles.push_back({.name = persistents[i].name,
                                   .memory_class = memory_class_of(persistents[i].kind),
                                   .offset = session.plan().persistent_offset[i],
                                   .bytes = persistents[i].type.bytes(),
                                   .first = -always,
                                   .last = always});
  if (recording.steps().empty()) return memory_timeline_svg(timeline);
  const Recording::Step& step = recording.steps().back();
  MemoryOfRun memory(recording, timeline, step.times.begin);
  // A run of a program is a sequence of consecutive tags.
  size_t begin = 0;
  for (size_t i = 1; i <= step.nodes.size(); ++i) {
    if (i < step.nodes.size() && step.nodes[i].tag == step.nodes[i - 1].tag + 1 &&
        recording.node(step.nodes[i].tag).program == recording.node(step.nodes[begin].tag).program)
      continue;
    memory.add(step.nodes.subspan(begin, i - begin));
    begin = i;
  }
  timeline.begin = 0;
  timeline.end = step.times.seconds();
  return memory_timeline_svg(timeline);
}

}  // namespace anneal
