#pragma once

#include <filesystem>
#include <string>

#include "anneal/train/profile.hpp"

namespace anneal {

// A Chrome/Perfetto trace of the recorded steps. The first lane explains each step without a gap:
// waiting for data, every node, and what lies between programs. A lane for each thread shows its
// part of every node, and where it waits at a barrier or for work that another thread does alone.
void write_trace(Recording& recording, const std::filesystem::path& path);

// Where the time of a step goes, by phase, scope and op: an SVG drawing.
std::string flame_graph_of(const Recording& recording);

// Which values live where in the arena during the last recorded step: an SVG drawing.
std::string memory_timeline_of(Recording& recording);

}  // namespace anneal
