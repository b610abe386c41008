#include "anneal/ir/print.hpp"

namespace anneal {
namespace {

void print_value(std::ostream& out, const Program& program, const Module* module, Value v) {
  if (!v) {
    out << "-";
    return;
  }
  const auto& info = program.info(v);
  if (info.persistent >= 0 && module)
    out << '@' << module->persistent(info.persistent).name;
  else if (info.persistent >= 0)
    out << '@' << info.persistent;
  else if (info.producer < 0)
    out << '$' << info.name;
  else
    out << '%' << v.id;
}

}  // namespace

void print(std::ostream& out, const Program& program, const Module* module) {
  for (Value v : program.inputs())
    out << "  input $" << program.info(v).name << ": " << program.type(v) << '\n';
  for (NodeId n : program.order) {
    const Node& node = program.node(n);
    out << "  ";
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const auto& info = program.info(node.outputs[i]);
      out << (i ? ", %" : "%") << node.outputs[i].id << ": " << info.type;
      if (info.stores >= 0) {
        out << " -> @";
        if (module)
          out << module->persistent(info.stores).name;
        else
          out << info.stores;
      }
    }
    out << " = " << node.op->name << '(';
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (i) out << ", ";
      print_value(out, program, module, node.inputs[i]);
    }
    out << ')';
    std::ostringstream attrs;
    node.attrs.print(attrs);
    if (!attrs.str().empty()) out << " {" << attrs.str() << '}';
    out << "  # " << name_of(node.phase);
    if (!node.scope.empty()) out << ' ' << node.scope;
    out << '\n';
  }
  for (const auto& named : program.outputs) {
    out << "  output " << named.name << " = ";
    print_value(out, program, module, named.value);
    out << '\n';
  }
}

void print(std::ostream& out, const Module& module) {
  for (const auto& p : module.persistents) {
    out << name_of(p.kind) << " @" << p.name << ": " << p.type;
    if (p.role != Role::none) out << "  # " << name_of(p.role);
    out << '\n';
  }
  for (const auto& [name, program] : module.programs) {
    out << "program " << name << " {\n";
    print(out, program, &module);
    out << "}\n";
  }
}

}  // namespace anneal
