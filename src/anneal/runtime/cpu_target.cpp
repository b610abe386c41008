#include "anneal/runtime/cpu_target.hpp"

#include "anneal/ops/registry.hpp"

namespace anneal {

const CpuTarget::Entry& CpuTarget::lookup(const OpDef& op, const OpCall& call) {
  auto& list = entries_[&op];
  for (const Entry& entry : list)
    if (entry.call == call) return entry;
  list.push_back({call, make_cpu_kernel(op, call)});
  return list.back();
}

bool CpuTarget::has_kernel(const OpDef& op, const OpCall& call) {
  return lookup(op, call).kernel != nullptr;
}

int64_t CpuTarget::workspace_bytes(const OpDef& op, const OpCall& call) {
  const auto& entry = lookup(op, call);
  return entry.kernel ? entry.kernel->workspace_bytes() : 0;
}

std::shared_ptr<const Kernel> CpuTarget::kernel(const OpDef& op, const OpCall& call) {
  const auto& entry = lookup(op, call);
  ANNEAL_ASSERT(entry.kernel, "the CPU has no kernel for ", op.name, " on these types",
                call.in.empty() || !call.in[0] ? "" : str(", first input ", *call.in[0]));
  return entry.kernel;
}

void CpuTarget::trim() {
  for (auto& [op, list] : entries_)
    std::erase_if(list, [](const Entry& e) { return !e.kernel || e.kernel.use_count() == 1; });
}

}  // namespace anneal
