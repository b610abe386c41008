#!/usr/bin/env python3
"""Makes the Markdown table of bench/compare.sh.

    bench/compare_table.py RAW.jsonl NOTES

RAW.jsonl has one run a line: {"case", "precision", "who", "result"}, where result is what
`anneal bench step --json` or bench/peers/torch_step.py --json printed, or null for a run that failed.
"""

import json
import statistics
import sys

HEAD = ("case", "precision", "Anneal, tokens/s", "of its bound", "peer", "peer, tokens/s", "Anneal / peer",
        "Anneal, MiB", "peer, MiB", "Anneal / peer")
LEGEND = """
Tokens a second: medians of the rounds, with the least and the most. Of its bound: the time of Anneal's matrix products
alone, as a share of its step. MiB: peak anonymous memory less what there was before the model (in brackets: peak
resident memory of the whole process, libraries included)."""


def rates(runs):
    return [run["tokens_per_second"] for run in runs]


def rate_cell(runs):
    """The median, and how far apart the runs are."""
    if not runs:
        return "failed"
    values = rates(runs)
    digits = 0 if statistics.median(values) >= 100 else 1
    spread = f" ({min(values):,.{digits}f}–{max(values):,.{digits}f})" if len(values) > 1 else ""
    return f"{statistics.median(values):,.{digits}f}{spread}"


def memory(runs):
    """Peak bytes (of the training, of the process) in the runs that measured no bound, which takes
    memory of its own."""
    found = [run["memory"] for run in [run for run in runs if not run.get("bound")] or runs]
    return (max(m["measured_bytes"] if "measured_bytes" in m else m["peak_anon_bytes"] - m["baseline_bytes"]
                for m in found), max(m["peak_rss_bytes"] for m in found))


def memory_cell(runs):
    return "{:,.0f} ({:,.0f})".format(*(x / 2**20 for x in memory(runs)))


def rows(groups):
    for (case, precision), by_who in groups.items():
        ours = by_who.pop("Anneal")
        bound = next((r["bound"]["ratio"] for r in ours if r.get("bound")), None)
        start = [case, precision, rate_cell(ours), "–" if bound is None else f"{100 * bound:.0f} %"]
        mine = memory_cell(ours)
        for who, runs in by_who.items() or [("none", None)]:
            if not runs:
                yield start + [who, "–" if runs is None else "failed", "–", mine, "–", "–"]
                continue
            ratio = statistics.median(rates(ours)) / statistics.median(rates(runs))
            less = "{:.2f} ({:.2f})".format(*(a / b for a, b in zip(memory(ours), memory(runs))))
            yield start + [who, rate_cell(runs), f"{ratio:.2f}", mine, memory_cell(runs), less]


def main():
    raw, notes = sys.argv[1:]
    groups = {}
    with open(raw) as file:
        for line in file:
            run = json.loads(line)
            runs = groups.setdefault((run["case"], run["precision"]), {}).setdefault(run["who"], [])
            if run["result"] is not None:
                runs.append(run["result"])
    print("| " + " | ".join(HEAD) + " |")
    print("|" + "---|" * len(HEAD))
    for row in rows(groups):
        print("| " + " | ".join(row) + " |")
    print(LEGEND + "\n")
    with open(notes) as file:
        for line in file:
            print("- " + line.rstrip())


if __name__ == "__main__":
    main()
