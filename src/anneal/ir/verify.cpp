#include "anneal/ir/verify.hpp"

#include <set>

namespace anneal {
namespace {

bool same_or_low(const OpDef& op, int output, const TensorType& expected, const TensorType& got) {
  if (expected.shape != got.shape) return false;
  if (expected.dtype == got.dtype) return true;
  return is_float(expected.dtype) && is_float(got.dtype) && (op.low_outputs & bit(output));
}

void verify_types(const Program& program, NodeId n, const std::string& where) {
  const Node& node = program.node(n);
  OpCall call = program.call(n);
  auto actual = call.out;
  call.out.clear();
  auto expected = node.op->infer(call);
  ANNEAL_ASSERT(expected.size() == actual.size(), where, " has ", actual.size(),
                " outputs, the op infers ", expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    ANNEAL_ASSERT(same_or_low(*node.op, static_cast<int>(i), expected[i], actual[i]), where,
                  ": output ", i, " is ", actual[i], ", the op infers ", expected[i]);
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (!node.inputs[i]) continue;
    bool low = is_low(program.type(node.inputs[i]).dtype);
    uint32_t accepts = node.op->low_accept | node.op->low_require;
    ANNEAL_ASSERT(!low || (accepts & bit(static_cast<int>(i))), where, ": input ", i,
                  " is in low precision, which the op does not accept");
  }
}

}  // namespace

void verify(const Program& program, const Module* module, const std::string& where) {
  std::set<int32_t> available;
  std::map<int32_t, int> read_by;  // persistent -> last position of a reading node
  std::map<int32_t, int> stored_by;
  for (int32_t id = 0; id < program.value_count(); ++id) {
    const auto& info = program.info(Value{id});
    if (info.producer < 0) available.insert(id);
    if (info.persistent >= 0 && module)
      ANNEAL_ASSERT(info.type == module->persistent(info.persistent).type, where, ": ",
                    module->persistent(info.persistent).name, " is read as ", info.type);
  }
  int position = 0;
  for (NodeId n : program.order) {
    const Node& node = program.node(n);
    std::string place = str(where, ": ", node.describe());
    for (Value v : node.inputs) {
      if (!v) continue;
      ANNEAL_ASSERT(available.count(v.id), place, " reads %", v.id, " before it is produced");
      if (int32_t p = program.info(v).persistent; p >= 0) {
        ANNEAL_ASSERT(!stored_by.count(p), place, " reads a persistent value after its store");
        read_by[p] = position;
      }
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      Value v = node.outputs[i];
      const auto& info = program.info(v);
      ANNEAL_ASSERT(info.producer == n, place, ": output ", i, " names another producer");
      ANNEAL_ASSERT(available.insert(v.id).second, place, " runs twice");
      if (info.stores >= 0) {
        ANNEAL_ASSERT(stored_by.emplace(info.stores, position).second, place,
                      " stores a persistent value a second time");
        if (module)
          ANNEAL_ASSERT(info.type == module->persistent(info.stores).type, place,
                        " stores another type than ", module->persistent(info.stores).name);
      }
    }
    verify_types(program, n, place);
    ++position;
  }
  for (const auto& out : program.outputs)
    ANNEAL_ASSERT(out.value && available.count(out.value.id), where, ": output ", out.name,
                  " is never produced");
  for (const auto& [parameter, value] : program.gradients)
    ANNEAL_ASSERT(value && available.count(value.id), where, ": the gradient of parameter ",
                  parameter, " is never produced");
}

void verify(const Module& module, const std::string& after) {
  for (const auto& [name, program] : module.programs)
    verify(program, &module, str("after ", after, ", program ", name));
}

}  // namespace anneal
