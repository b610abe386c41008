#include "anneal/data/glob.hpp"

#include <dirent.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <algorithm>
#include <memory>

namespace anneal {
namespace {

struct Entry {
  std::string name;
  bool real_folder = false;  // not a symbolic link to one
};

std::vector<Entry> entries_of(const std::string& folder) {
  std::vector<Entry> entries;
  std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(folder.empty() ? "." : folder.c_str()),
                                          ::closedir);
  if (!dir) return entries;
  while (const dirent* entry = ::readdir(dir.get())) {
    std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    bool is_folder = entry->d_type == DT_DIR;
    if (entry->d_type == DT_UNKNOWN) {
      struct stat info {};
      is_folder = ::lstat((folder + name).c_str(), &info) == 0 && S_ISDIR(info.st_mode);
    }
    entries.push_back({std::move(name), is_folder});
  }
  return entries;
}

std::string without_escapes(const std::string& part) {
  std::string out;
  for (size_t i = 0; i < part.size(); ++i) {
    if (part[i] == '\\' && i + 1 < part.size()) ++i;
    out += part[i];
  }
  return out;
}

class Expander {
 public:
  explicit Expander(const std::string& pattern) {
    size_t at = 0;
    while (at <= pattern.size()) {
      size_t slash = std::min(pattern.find('/', at), pattern.size());
      std::string part = pattern.substr(at, slash - at);
      bool repeated = part == "**" && !parts_.empty() && parts_.back() == "**";
      if (!part.empty() && !repeated) parts_.push_back(part);
      at = slash + 1;
    }
    if (!parts_.empty() && parts_.back() == "**") parts_.push_back("*");
    if (!parts_.empty()) expand(pattern.starts_with('/') ? "/" : "", 0);
  }

  std::vector<std::string> take() {
    std::sort(found_.begin(), found_.end());
    found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
    return std::move(found_);
  }

 private:
  // `base` is "" or ends with a slash.
  void expand(const std::string& base, size_t index) {
    const std::string& part = parts_[index];
    bool last = index + 1 == parts_.size();
    if (part == "**") {
      expand(base, index + 1);
      for (const Entry& entry : entries_of(base))
        if (entry.real_folder && entry.name[0] != '.') expand(base + entry.name + "/", index);
    } else if (!has_wildcard(part)) {
      arrive(base + without_escapes(part), last, index);
    } else {
      for (const Entry& entry : entries_of(base))
        if (::fnmatch(part.c_str(), entry.name.c_str(), FNM_PERIOD) == 0)
          arrive(base + entry.name, last, index);
    }
  }

  void arrive(const std::string& path, bool last, size_t index) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return;
    if (last)
      found_.push_back(path);
    else if (S_ISDIR(info.st_mode))
      expand(path + "/", index + 1);
  }

  std::vector<std::string> parts_;
  std::vector<std::string> found_;
};

}  // namespace

bool has_wildcard(std::string_view pattern) {
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\')
      ++i;
    else if (pattern[i] == '*' || pattern[i] == '?' || pattern[i] == '[')
      return true;
  }
  return false;
}

std::vector<std::string> expand_glob(const std::string& pattern) {
  return Expander(pattern).take();
}

}  // namespace anneal
