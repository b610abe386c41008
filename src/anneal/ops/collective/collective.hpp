#pragma once

#include <string>

#include "anneal/ir/builder.hpp"

namespace anneal {

// Collectives: the only way in which ranks exchange values (see ir/mesh.hpp for axes). Along a mesh
// axis a value is in one of three states:
//
//   replicated    every rank holds the same tensor
//   sharded(dim)  rank r holds the r-th of equal pieces along tensor dimension dim
//   partial       the value is the sum of what the ranks hold
//
// The gradient of a replicated or sharded value is in the same state; that of a partial value is
// replicated, since each rank's term counts fully in the sum.
//
//   op                  input         output        gradient
//   all_reduce          partial       replicated    dy as it is
//   all_gather(dim)     sharded(dim)  replicated    reduce_scatter(dim) of dy, which is partial:
//                                                   each rank's use of the gathered value adds to
//                                                   it
//   reduce_scatter(dim) partial       sharded(dim)  all_gather(dim) of dy
//
// Precondition: the axis has size 1, where all three states are one and these ops are the identity.
struct CollectiveAttrs {
  std::string axis;  // mesh axis
  int dim = 0;       // tensor dimension, from 0; all_reduce has none
  bool operator==(const CollectiveAttrs&) const = default;
  void print(std::ostream& out) const { out << axis << " dim=" << dim; }
};

const OpDef& all_reduce_op();
const OpDef& all_gather_op();
const OpDef& reduce_scatter_op();

Value all_reduce(Builder& b, Value x, const std::string& axis);
Value all_gather(Builder& b, Value x, const std::string& axis, int dim);
Value reduce_scatter(Builder& b, Value x, const std::string& axis, int dim);

}  // namespace anneal
