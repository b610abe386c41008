#pragma once

#include <string>
#include <vector>

namespace anneal {

// The ranks of a run as a grid of named axes, outermost first. One rank has no axes.
struct MeshAxis {
  std::string name;  // data, tensor, pipeline
  int size = 1;
  bool operator==(const MeshAxis&) const = default;
};

struct Mesh {
  std::vector<MeshAxis> axes;
  int size(const std::string& axis) const {
    for (const auto& a : axes)
      if (a.name == axis) return a.size;
    return 1;
  }
};

}  // namespace anneal
