#pragma once

#include "anneal/ir/op_def.hpp"

namespace anneal {

// What passes may ask of the device that a module is compiled for: which ops have a kernel for
// these types, and how many bytes of workspace it needs. Pure queries.
class Target {
 public:
  virtual ~Target() = default;
  virtual bool has_kernel(const OpDef& op, const OpCall& call) = 0;
  virtual int64_t workspace_bytes(const OpDef& op, const OpCall& call) = 0;
};

}  // namespace anneal
