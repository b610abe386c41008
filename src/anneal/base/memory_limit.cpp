#include "anneal/base/memory_limit.hpp"

#include <unistd.h>
#include <algorithm>
#include <fstream>
#include <string>

namespace anneal {
namespace {

// The limit in a control group's file; none where it says "max" or cannot be read.
int64_t limit_in(const std::string& path, int64_t none) {
  std::ifstream file(path);
  int64_t bytes = 0;
  return file >> bytes && bytes > 0 ? bytes : none;
}

}  // namespace

int64_t memory_limit() {
  int64_t pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGE_SIZE);
  if (pages <= 0 || page <= 0) return 0;
  int64_t limit = pages * page;
  limit = std::min(limit, limit_in("/sys/fs/cgroup/memory/memory.limit_in_bytes", limit));
  limit = std::min(limit, limit_in("/sys/fs/cgroup/memory.max", limit));
  // "0::/path": the group of this process in version 2; every group above it may set a limit too.
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (!line.starts_with("0::/")) continue;
    for (std::string path = line.substr(3); path.size() > 1; path.resize(path.rfind('/')))
      limit = std::min(limit, limit_in("/sys/fs/cgroup" + path + "/memory.max", limit));
  }
  return limit;
}

}  // namespace anneal
