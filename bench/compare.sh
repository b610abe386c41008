#!/usr/bin/env bash
# bench/compare.sh [--configs LIST] [--precisions LIST] [--repeats N] [--steps N] [--threads N]
#                  [--pythons LIST] [--out FILE.md]
#
# Whole training steps, Anneal beside its peers: one Markdown table on stdout of tokens a second and
# memory. Within a round Anneal and every peer run one after the other, so that whatever else the
# machine does meets all of them; rates are medians over the rounds.
#
#   --configs LIST     what to train: names from bench/configs or paths, with :BxT for batches of B
#                      sequences of T tokens ("tiny baby gpt2-124m:1x256 gpt2-124m:4x256")
#   --precisions LIST  "fp32 bf16"; bf16 is left out by default where the CPU has no bf16 products
#   --repeats N        rounds (3)
#   --steps N          timed steps of a run (tiny: 50, others: 5), after 2 that are not
#   --threads N        for all alike (all cores)
#   --pythons LIST     interpreters whose torch is a peer (/usr/bin/python3)
#   --compile          torch.compile for peers that have it (torch 2)
#   --out FILE.md      the table there too, and each run's own numbers in FILE.jsonl
#
# Needs python3 (3.11) even where there is no peer. To give PyTorch what it needs to be fast, as root:
#
#     apt-get install python3-torch libopenblas0-openmp libgoogle-perftools4
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/common.sh"

configs="tiny baby gpt2-124m:1x256 gpt2-124m:4x256" precisions="" repeats=3 steps="" threads=$(nproc)
pythons=/usr/bin/python3 compile="" out=""
while (($#)); do
  case $1 in
    -h | --help) usage && exit ;;
    --compile) compile=--compile && shift && continue ;;
    --configs | --precisions | --repeats | --steps | --threads | --pythons | --out)
      (($# >= 2)) || fail "$1 takes a value (try --help)"
      declare "${1#--}=$2" && shift 2
      ;;
    *) fail "unknown option '$1' (try --help)" ;;
  esac
done
for number in "$repeats" "${steps:-1}" "$threads"; do
  [[ $number =~ ^[1-9][0-9]*$ ]] || fail "--repeats, --steps and --threads take a number from 1, not '$number'"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
raw=$work/raw.jsonl notes=$work/notes
touch "$raw" "$notes"
note() {
  say "$*"
  printf '%s\n' "$*" >>"$notes"
}

note "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1), $threads threads, $repeats rounds," \
  "$(git -C "$ROOT" describe --always --dirty 2>/dev/null || echo 'no commit')."
note "Load before the first run: $(cut -d ' ' -f 1 /proc/loadavg); the numbers want a machine that does nothing else."
if [[ -z $precisions ]]; then
  precisions=fp32
  if grep -qwE 'avx512_bf16|amx_bf16' /proc/cpuinfo; then
    precisions="fp32 bf16"
  else
    note "bf16 is left out: this CPU has no bf16 products (ask for it with --precisions 'fp32 bf16')."
  fi
fi

anneal=${ANNEAL:-$ROOT/build/release/anneal}
[[ -n ${ANNEAL:-} ]] || "$ROOT/scripts/build" release >&2

# The libraries that torch is fastest with, see torch_step.py. Only Debian's build follows libblas.so.3.
peer_environment=("OMP_NUM_THREADS=$threads")
library() { ldconfig -p | sed -n "s/.*x86-64.* => \(.*\/$1\)\$/\1/p" | head -n 1; }
blas=$(compgen -G '/usr/lib/*/openblas-openmp/libblas.so.3' | head -n 1 || true)
[[ -z $blas ]] || peer_environment+=("LD_LIBRARY_PATH=$(dirname "$blas")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}")
# Which allocator suits a model better is tried out for each case: the C library's, told to keep memory and
# to use huge pages, or tcmalloc.
tunables=glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=4000000000:glibc.malloc.trim_threshold=8000000000
allocators=("GLIBC_TUNABLES=$tunables")
tcmalloc=$(library 'libtcmalloc\.so\.4')
[[ -n $tcmalloc ]] || tcmalloc=$(library 'libtcmalloc_minimal\.so\.4')
if [[ -n $tcmalloc ]]; then
  allocators+=("LD_PRELOAD=$tcmalloc")
else
  note "Peers do without tcmalloc, which may make them faster (libgoogle-perftools4)."
fi

peers=() names=()
for python in $pythons; do
  if name=$("$python" "$ROOT/bench/peers/torch_step.py" --framework 2>"$work/log"); then
    peers+=("$python")
    names+=("$name")
  elif ! command -v "$python" >/dev/null; then
    note "Not installed: $python, so no torch from there."
  else
    note "Not installed: torch for $python (or its Python is older than 3.11): $(tail -n 1 "$work/log")."
  fi
done

# record CASE PRECISION WHO: appends the JSON object on stdin to the raw results.
record() { printf '{"case":"%s","precision":"%s","who":"%s","result":%s}\n' "$1" "$2" "$3" "$(tr -d '\n')" >>"$raw"; }

rate() { sed -n 's/.*"tokens_per_second": *\([0-9]*\).*/\1 tokens\/s/p' <<<"$1"; }

run_anneal() { # run_anneal CASE PRECISION ROUND CONFIG COUNT SETTING…
  local case=$1 precision=$2 round=$3 config=$4 count=$5 result bound=()
  ((round == 1)) || bound=(--no-bound)
  shift 5
  result=$("$anneal" bench step "$config" "$@" --set "train.precision=$precision" --set "parallel.threads=$threads" \
    --steps "$count" "${bound[@]}" --json 2>"$work/log") || { cat "$work/log" >&2 && fail "anneal bench step failed"; }
  result=${result//$'\n'/ }
  say "$case, $precision, round $round: Anneal $(rate "$result")"
  record "$case" "$precision" Anneal <<<"$result"
}

# step_of PEER ALLOCATOR CONFIG PRECISION COUNT SETTING…: what torch_step.py prints.
step_of() {
  local peer=$1 allocator=$2 config=$3 precision=$4 count=$5 flags=()
  [[ -z $compile || ${names[peer]} == "torch 1."* ]] || flags=(--compile)
  shift 5
  env "${peer_environment[@]}" "$allocator" "${peers[peer]}" "$ROOT/bench/peers/torch_step.py" "$config" "$@" \
    --precision "$precision" --threads "$threads" --steps "$count" "${flags[@]}" --json 2>"$work/log" || {
    tail -n 3 "$work/log" >&2
    return 1
  }
}

# choose_allocator PEER CONFIG PRECISION COUNT SETTING…: the one with the fastest step.
choose_allocator() {
  local peer=$1 allocator result best=${allocators[0]} least="" seconds
  shift
  if ((${#allocators[@]} > 1)); then
    for allocator in "${allocators[@]}"; do
      result=$(step_of "$peer" "$allocator" "$@") || continue
      seconds=$(sed -n 's/.*"fastest_seconds": \([^,]*\),.*/\1/p' <<<"$result")
      if [[ -z $least ]] || awk "BEGIN {exit !($seconds < $least)}"; then best=$allocator least=$seconds; fi
    done
  fi
  echo "$best"
}

run_peer() { # run_peer PEER ALLOCATOR CASE PRECISION ROUND CONFIG COUNT SETTING…
  local peer=$1 allocator=$2 case=$3 precision=$4 round=$5 config=$6 count=$7 result
  local who="${names[peer]}, malloc"
  [[ $allocator != LD_PRELOAD=* ]] || who="${names[peer]}, tcmalloc"
  shift 7
  if result=$(step_of "$peer" "$allocator" "$config" "$precision" "$count" "$@"); then
    say "$case, $precision, round $round: $who $(rate "$result")"
  else
    say "$case, $precision, round $round: $who failed"
    result=null
  fi
  ! grep -qs 'reference BLAS' "$work/log" || slow_blas=1
  record "$case" "$precision" "$who" <<<"$result"
}

slow_blas=""
for case in $configs; do
  config=${case%:*} settings=()
  [[ -f $config ]] || config=$ROOT/bench/configs/$config.toml
  [[ -f $config ]] || fail "no config $config"
  if [[ $case == *:* ]]; then
    [[ $case =~ :([0-9]+)x([0-9]+)$ ]] || fail "what follows the colon of '$case' is not BxT, as 4x256"
    for setting in "train.batch=${BASH_REMATCH[1]}" "train.micro_batch=${BASH_REMATCH[1]}" \
      "model.context=${BASH_REMATCH[2]}"; do
      settings+=(--set "$setting")
    done
  fi
  count=5
  [[ $case != tiny* ]] || count=50
  for precision in $precisions; do
    chosen=()
    for peer in "${!peers[@]}"; do
      chosen[peer]=$(choose_allocator "$peer" "$config" "$precision" "${steps:-$count}" "${settings[@]}")
    done
    for ((round = 1; round <= repeats; round++)); do
      run_anneal "$case" "$precision" "$round" "$config" "${steps:-$count}" "${settings[@]}"
      for peer in "${!peers[@]}"; do
        run_peer "$peer" "${chosen[peer]}" "$case" "$precision" "$round" "$config" "${steps:-$count}" "${settings[@]}"
      done
    done
  done
done

if [[ -n $slow_blas ]]; then
  note "A torch computed with the reference BLAS, which is slow; libopenblas0-openmp would make it faster."
fi
python3 "$ROOT/bench/compare_table.py" "$raw" "$notes" | tee "$work/table"
if [[ -n $out ]]; then
  cp "$work/table" "$out"
  cp "$raw" "${out%.md}.jsonl"
fi
