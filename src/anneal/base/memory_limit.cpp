#include "anneal/base/memory_limit.hpp"

#include <unistd.h>
#include <algorithm>
#include <fstream>
#include <limits>
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
  // Lines "ID:CONTROLLERS:/path": the group of this process, in version 2 ("0::") and in version 1
  // ("memory"). Every group above it may set a limit too; inside a container the path may be one of
  // the host's, of which only the root is seen.
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    size_t at = line.find(":memory:");
    bool second = line.starts_with("0::");
    if (!second && at == std::string::npos) continue;
    std::string root = second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    std::string file = second ? "/memory.max" : "/memory.limit_in_bytes";
    std::string path = second ? line.substr(3) : line.substr(at + 8);
    while (path.ends_with('/')) path.pop_back();
    while (true) {
      limit = std::min(limit, limit_in(root + path + file, limit));
      if (path.empty()) break;
      size_t slash = path.rfind('/');
      path.resize(slash == std::string::npos ? 0 : slash);
    }
  }
  return limit;
}

int64_t memory_left() {
  int64_t limit = memory_limit();
  int64_t size = 0, resident = 0;  // pages
  std::ifstream statm("/proc/self/statm");
  if (limit <= 0 || !(statm >> size >> resident)) return std::numeric_limits<int64_t>::max();
  return std::max<int64_t>(0, limit - resident * ::sysconf(_SC_PAGE_SIZE));
}

}  // namespace anneal
