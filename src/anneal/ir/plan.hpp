#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace anneal {

// Where every value lives: plain data, made by passes/plan_memory, obeyed by runtime/. Offsets are
// in bytes from the start of the arena.
struct ProgramPlan {
  std::vector<int64_t> value_offset;      // by value id; -1: has no place (dead)
  std::vector<int64_t> workspace_offset;  // by position in Program::order; -1: none
  int64_t transient_bytes = 0;            // high-water mark above the persistent values
  // Byte ranges (offset, length) that nobody reads any more after position i.
  std::vector<std::vector<std::pair<int64_t, int64_t>>> dead_after;
};

struct Plan {
  std::vector<int64_t> persistent_offset;
  int64_t persistent_bytes = 0;
  int64_t arena_bytes = 0;  // persistent bytes + the maximum of transient bytes over programs
  std::map<std::string, ProgramPlan> programs;
};

}  // namespace anneal
