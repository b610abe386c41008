#include "anneal/train/profile.hpp"

#include <algorithm>
#include <map>

#include "anneal/device/cpu/median.hpp"
#include "anneal/device/cpu/parallel.hpp"

namespace anneal {
namespace {

constexpr int64_t warmup_steps = 2;

double seconds_of(int64_t ns) { return static_cast<double>(ns) * 1e-9; }

// "h.3.attn" of "h.3.attn.qkv", "embed" of "embed.tokens": what a user thinks of as one part.
std::string part_of(std::string_view scope) {
  std::string layer = layer_of(scope);
  if (layer.find('.') == std::string::npos || layer.size() == scope.size()) return layer;
  return std::string(scope.substr(0, scope.find('.', layer.size() + 1)));
}

class Rows {
 public:
  ProfileRow& operator[](const std::string& name) {
    auto [it, fresh] = index_.emplace(name, rows_.size());
    if (fresh) rows_.push_back({.name = name});
    return rows_[it->second];
  }
  std::vector<ProfileRow> means(double steps) && {
    for (ProfileRow& row : rows_) {
      for (double* sum : {&row.calls, &row.seconds, &row.idle_seconds, &row.roofline_seconds,
                          &row.cost.flops, &row.cost.bytes})
        *sum /= steps;
    }
    std::stable_sort(rows_.begin(), rows_.end(),
                     [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
    return std::move(rows_);
  }

 private:
  std::map<std::string, size_t> index_;
  std::vector<ProfileRow> rows_;
};

}  // namespace

void NodeRegions::advance(const ThreadTrace::Span& node) {
  node_ = node;
  for (int t = 0; t < trace_.threads(); ++t) {
    auto all = trace_.regions(t);
    Range& range = of_[static_cast<size_t>(t)];
    range.first = range.last;
    while (range.first < all.size() && all[range.first].end <= node.begin) ++range.first;
    range.last = range.first;
    while (range.last < all.size() && all[range.last].begin < node.end) ++range.last;
  }
}

std::span<const ThreadTrace::Span> NodeRegions::of(int thread) const {
  const Range& range = of_[static_cast<size_t>(thread)];
  return trace_.regions(thread).subspan(range.first, range.last - range.first);
}

int64_t NodeRegions::joined(size_t i) const {
  auto first = of(0);
  int64_t next = i + 1 < first.size() ? first[i + 1].begin : node_.end;
  int64_t latest = first[i].end;
  for (int t = 1; t < trace_.threads(); ++t)
    for (const auto& region : of(t))
      if (region.begin < next) latest = std::max(latest, std::min(region.end, next));
  return latest;
}

int64_t NodeRegions::idle() const {
  int64_t length = node_.end - node_.begin, idle = 0;
  for (size_t i = 0; i < of(0).size(); ++i) idle += joined(i) - of(0)[i].end;
  for (int t = 1; t < trace_.threads(); ++t) {
    idle += length;
    for (const auto& region : of(t)) idle -= region.end - region.begin;
  }
  return std::max<int64_t>(0, idle);
}

Recording::Recording(const RunConfig& config, int64_t steps, std::function<void()> before_batch)
    : workload_(config, target_, warmup_steps + 2 * steps, std::move(before_batch)),
      session_(workload_.session()) {
  const Module& module = session_.module();
  int64_t nodes = 0, tags = 0;
  for (const auto& [name, program] : module.programs)
    tags += static_cast<int64_t>(program.order.size());
  for (int64_t tag = 0; tag < tags; ++tag) nodes_.push_back(session_.traced_node(tag));
  for (const StepProgram& p : programs_of_step(module, workload_.config()))
    nodes += p.runs * static_cast<int64_t>(module.programs.at(p.name).order.size());
  // The warm-up tells how many regions a step has.
  ThreadTrace counter(thread_count(), 0, 0);
  workload_.step();
  counter.start();
  workload_.step();
  counter.stop();
  trace_ =
      std::make_unique<ThreadTrace>(thread_count(), counter.most_regions() * steps, nodes * steps);
  std::vector<double> traced, untraced;
  for (int64_t i = 0; i < steps; ++i) {
    untraced.push_back(workload_.step().seconds());
    size_t first = trace_->nodes().size();
    trace_->start();
    StepTimes times = workload_.step();
    trace_->stop();
    steps_.push_back({times, trace_->nodes().subspan(first)});
    traced.push_back(times.seconds());
  }
  traced_seconds_ = median(std::move(traced));
  untraced_seconds_ = median(std::move(untraced));
}

Profile summarise(Recording& recording, const MachineRates& rates) {
  const Session& session = recording.session();
  bool cached = stays_in_cache(session.plan().arena_bytes);
  Profile profile;
  profile.rates = rates;
  profile.model_flops = cost_of_step(session.module(), recording.config()).model_flops;
  Rows ops, scopes;
  NodeRegions regions(recording.trace());
  for (const Recording::Step& step : recording.steps()) {
    double in_nodes = 0;
    for (const ThreadTrace::Span& span : step.nodes) {
      const TracedNode& traced = recording.node(span.tag);
      const Node& node = traced.program->node(traced.node);
      OpCall call = traced.program->call(traced.node);
      double seconds = seconds_of(span.end - span.begin);
      regions.advance(span);
      double idle_seconds = seconds_of(regions.idle());
      Cost cost = cost_of(*node.op, call);
      int64_t memory = recording.target().workspace_bytes(*node.op, call);
      for (const auto& type : call.out) memory += type.bytes();
      in_nodes += seconds;
      ProfileRow* rows[] = {&ops[str(node.op->name, " ", name_of(node.phase))],
                            &scopes[part_of(node.scope)]};
      for (ProfileRow* row : rows) {
        row->calls += 1;
        row->seconds += seconds;
        row->idle_seconds += idle_seconds;
        row->roofline_seconds += roofline_seconds(node, call, rates, cached);
        row->cost.flops += cost.flops;
        row->cost.bytes += cost.bytes;
        // Of the same node in every step.
        if (&step == recording.steps().data()) row->memory_bytes += memory;
      }
    }
    auto wait = [&](const char* name, double seconds) {
      ProfileRow& row = ops[name];
      row.calls += 1;
      row.seconds += seconds;
    };
    wait(data_wait, step.times.data_seconds());
    wait(between_programs, step.times.seconds() - step.times.data_seconds() - in_nodes);
    profile.step_seconds += step.times.seconds();
  }
  auto steps = static_cast<double>(recording.steps().size());
  profile.step_seconds /= steps;
  profile.ops = std::move(ops).means(steps);
  profile.scopes = std::move(scopes).means(steps);
  return profile;
}

}  // namespace anneal
