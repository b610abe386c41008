#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "anneal/ir/target.hpp"
#include "anneal/ops/kernel.hpp"

namespace anneal {

// The CPU as passes see it, and the owner of its kernels: one for each distinct call, so that the
// layers of a model share theirs.
class CpuTarget final : public Target {
 public:
  bool has_kernel(const OpDef& op, const OpCall& call) override;
  int64_t workspace_bytes(const OpDef& op, const OpCall& call) override;
  // Throws InternalError where there is no kernel.
  std::shared_ptr<const Kernel> kernel(const OpDef& op, const OpCall& call);
  // Forgets kernels that no executable uses.
  void trim();

 private:
  struct Entry {
    OpCall call;
    std::shared_ptr<const Kernel> kernel;  // null: there is none
  };
  const Entry& lookup(const OpDef& op, const OpCall& call);
  std::unordered_map<const OpDef*, std::vector<Entry>> entries_;
};

}  // namespace anneal
