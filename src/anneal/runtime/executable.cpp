#include "anneal/runtime/executable.hpp"

#include <algorithm>
#include <cstring>

namespace anneal {
namespace {

const TensorRef* find(const std::vector<std::pair<std::string, TensorRef>>& list,
                      std::string_view name) {
  for (const auto& [key, tensor] : list)
    if (key == name) return &tensor;
  return nullptr;
}

}  // namespace

Executable::Executable(const Program& program, const ProgramPlan& plan, CpuTarget& target,
                       const Arena& arena, int64_t first_tag)
    : first_tag_(first_tag) {
  auto place = [&](Value v) -> std::byte* {
    int64_t offset = plan.value_offset.at(static_cast<size_t>(v.id));
    ANNEAL_ASSERT(offset >= 0, "value %", v.id, " has no place");
    return arena.at(offset);
  };
  size_t count = 0;
  for (NodeId n : program.order)
    count += program.node(n).inputs.size() + program.node(n).outputs.size();
  pointers_.reserve(count);
  for (size_t i = 0; i < program.order.size(); ++i) {
    const Node& node = program.node(program.order[i]);
    Step step{.kernel = target.kernel(*node.op, program.call(program.order[i])),
              .first_input = pointers_.size(),
              .first_output = 0,
              .workspace = nullptr};
    for (Value v : node.inputs) pointers_.push_back(v ? place(v) : nullptr);
    step.first_output = pointers_.size();
    for (Value v : node.outputs) pointers_.push_back(place(v));
    if (plan.workspace_offset[i] >= 0) step.workspace = arena.at(plan.workspace_offset[i]);
    steps_.push_back(std::move(step));
    auto& dead = dead_after_.emplace_back();
    for (auto [offset, bytes] : plan.dead_after[i]) dead.emplace_back(arena.at(offset), bytes);
  }
  for (Value v : program.inputs())
    inputs_.emplace_back(program.info(v).name, TensorRef{program.type(v), place(v)});
  for (const auto& out : program.outputs)
    outputs_.emplace_back(out.name, TensorRef{program.type(out.value), place(out.value)});
}

KernelArgs Executable::arguments(const Step& step) const {
  return {pointers_.data() + step.first_input, pointers_.data() + step.first_output,
          step.workspace};
}

void Executable::run() const {
  if (ThreadTrace* trace = ThreadTrace::active()) return run_traced(*trace);
  for (const Step& step : steps_) step.kernel->run(arguments(step));
}

void Executable::run_traced(ThreadTrace& trace) const {
  int64_t begin = now_ns();
  for (size_t i = 0; i < steps_.size(); ++i) {
    int64_t tag = first_tag_ + static_cast<int64_t>(i);
    trace.set_tag(tag);
    steps_[i].kernel->run(arguments(steps_[i]));
    int64_t end = now_ns();
    trace.add_node({tag, begin, end});
    begin = end;
  }
}

void Executable::run_poisoned() const {
  for (size_t i = 0; i < steps_.size(); ++i) {
    steps_[i].kernel->run(arguments(steps_[i]));
    for (auto [begin, bytes] : dead_after_[i]) std::memset(begin, 0xFF, static_cast<size_t>(bytes));
  }
}

const TensorRef& Executable::input(std::string_view name) const {
  const TensorRef* t = find(inputs_, name);
  ANNEAL_ASSERT(t, "the program has no input ", name);
  return *t;
}

bool Executable::has_input(std::string_view name) const { return find(inputs_, name); }

const TensorRef& Executable::output(std::string_view name) const {
  const TensorRef* t = find(outputs_, name);
  ANNEAL_ASSERT(t, "the program has no output ", name);
  return *t;
}

bool Executable::has_output(std::string_view name) const { return find(outputs_, name); }

}  // namespace anneal
