# shellcheck shell=bash
# Sourced by the other scripts: where the repository is, and the few things that they all do.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Messages go to stderr; stdout is for what a script is asked for.
say() { printf '%s\n' "$*" >&2; }
fail() {
  say "${0##*/}: $*"
  exit 1
}

# as_root COMMAND…: through sudo where we are not root.
as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "needs root; as root: $*"
  fi
}

# Prints the comment at the head of the calling script: its --help.
usage() { sed -n '2,/^[^#]/{/^#/{s/^# \{0,1\}//;p}}' "$0"; }

# How many compiler processes to run: one a core, but no more than memory has room for.
build_jobs() {
  local jobs memory
  jobs=$(nproc)
  memory=$(awk '/^MemAvailable:/ {print int($2 / 1500000)}' /proc/meminfo)
  ((memory >= 1)) || memory=1
  echo $((jobs < memory ? jobs : memory))
}

# Lets ccache, where it is installed, give the same result in every checkout of the repository.
use_ccache() {
  if command -v ccache >/dev/null && [[ ${ANNEAL_NO_CCACHE:-} == "" ]]; then
    export CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1
  fi
}

# configure PRESET [CMAKE OPTION]…: build/PRESET as CMakePresets.json says; quiet unless it fails.
configure() {
  local log
  log=$(mktemp)
  if ! (cd "$ROOT" && cmake --preset "$@") >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    fail "cmake --preset $1 failed (see above)"
  fi
  rm -f "$log"
}
