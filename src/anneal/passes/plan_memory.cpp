#include <algorithm>
#include <numeric>

#include "anneal/passes/liveness.hpp"
#include "anneal/passes/pass.hpp"

// Gives every value a fixed place in one arena. Persistent values come first, parameters foremost;
// above them all programs share one region, as only one runs at a time. Within a program, buffers
// are placed largest first, each at the lowest offset free for its whole life (the greedy-by-size
// strategy of Pisarchyk and Lee, arXiv:2001.03288).

namespace anneal {
namespace {

constexpr int64_t alignment = 64;  // a cache line, and an AVX-512 vector

int64_t aligned(int64_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

void place_persistents(const Module& module, Plan& plan) {
  plan.persistent_offset.assign(module.persistents.size(), -1);
  int64_t offset = 0;
  for (auto kind : {PersistentKind::parameter, PersistentKind::copy, PersistentKind::moment,
                    PersistentKind::gradient, PersistentKind::state, PersistentKind::cache}) {
    for (size_t i = 0; i < module.persistents.size(); ++i) {
      if (module.persistents[i].kind != kind) continue;
      plan.persistent_offset[i] = offset;
      offset += aligned(module.persistents[i].type.bytes());
    }
  }
  plan.persistent_bytes = offset;
}

struct Placed {
  int64_t offset, bytes;
  int32_t first, last;
};

// The lowest offset at which `bytes` are free from `first` to `last`; `placed` is sorted by offset.
int64_t lowest_free(const std::vector<Placed>& placed, int64_t bytes, int32_t first, int32_t last) {
  int64_t offset = 0;
  for (const Placed& p : placed) {
    if (p.last < first || p.first > last) continue;
    if (p.offset - offset >= bytes) break;
    offset = std::max(offset, p.offset + p.bytes);
  }
  return offset;
}

struct Request {
  int64_t bytes;
  int32_t first, last;
  int32_t buffer;  // index, or -1: workspace of node `first`
};

ProgramPlan place_program(const Program& program, const Module& module, const Plan& plan,
                          Target& target, bool reuse) {
  ProgramPlan result;
  auto end = static_cast<int32_t>(program.order.size());
  result.value_offset.assign(static_cast<size_t>(program.value_count()), -1);
  result.workspace_offset.assign(program.order.size(), -1);
  result.dead_after.resize(program.order.size());
  auto buffers = assign_buffers(program, module);
  std::vector<Request> requests;
  for (size_t i = 0; i < buffers.size(); ++i) {
    const Buffer& b = buffers[i];
    if (b.persistent >= 0) {
      for (int32_t v : b.values)
        result.value_offset[static_cast<size_t>(v)] =
            plan.persistent_offset[static_cast<size_t>(b.persistent)];
    } else {
      requests.push_back({aligned(b.bytes), b.first, b.last, static_cast<int32_t>(i)});
    }
  }
  for (int32_t i = 0; i < end; ++i) {
    NodeId n = program.order[static_cast<size_t>(i)];
    int64_t bytes = target.workspace_bytes(*program.node(n).op, program.call(n));
    if (bytes > 0) requests.push_back({aligned(bytes), i, i, -1});
  }
  std::stable_sort(requests.begin(), requests.end(), [](const Request& a, const Request& b) {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.first < b.first;
  });
  std::vector<Placed> placed;
  for (const Request& r : requests) {
    int64_t offset = reuse ? lowest_free(placed, r.bytes, r.first, r.last) : result.transient_bytes;
    Placed p{offset, r.bytes, r.first, r.last};
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), p,
                         [](const Placed& a, const Placed& b) { return a.offset < b.offset; }),
        p);
    result.transient_bytes = std::max(result.transient_bytes, offset + r.bytes);
    int64_t at = plan.persistent_bytes + offset;
    if (r.buffer < 0)
      result.workspace_offset[static_cast<size_t>(r.first)] = at;
    else
      for (int32_t v : buffers[static_cast<size_t>(r.buffer)].values)
        result.value_offset[static_cast<size_t>(v)] = at;
    if (r.last >= 0 && r.last < end)
      result.dead_after[static_cast<size_t>(r.last)].emplace_back(at, r.bytes);
  }
  return result;
}

}  // namespace

void plan_memory(Module& module, const PassContext& context) {
  Plan& plan = context.plan;
  plan = {};
  place_persistents(module, plan);
  int64_t transient = 0;
  for (const auto& [name, program] : module.programs) {
    plan.programs[name] =
        place_program(program, module, plan, context.target, context.options.reuse_memory);
    transient = std::max(transient, plan.programs[name].transient_bytes);
  }
  plan.arena_bytes = plan.persistent_bytes + transient;
}

}  // namespace anneal
