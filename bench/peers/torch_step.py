#!/usr/bin/env python3
"""Times PyTorch's training step of the model that an Anneal config describes.

    bench/peers/torch_step.py CONFIG [--set section.key=value]… [--steps N] [--warmup N]
                              [--precision fp32|bf16] [--threads N] [--compile] [--json]

A step is what `anneal bench step` times: random tokens, forward, cross-entropy over all of them,
backward (over train.batch / train.micro_batch micro-batches), clipping by the global norm, AdamW with
decay on matrices and embeddings. Runs with any torch since 1.13.

What was tried to make it fast, on two Zen 3 cores in FP32 with torch 1.13.1, by the fastest step of alternating
runs, since other work disturbed them: differences of 2 % mean nothing. The environment's part is set by
bench/compare.sh:

  - libblas.so.3 of Debian's torch: OpenBLAS with OpenMP (BLIS as fast). OpenBLAS with its own threads
    takes 1.6 times as long on the smallest model: two pools of threads for two cores.
  - malloc: as it is, the C library's takes 1.45 times as long on 124M parameters, since every large tensor
    is fresh zeroed pages. Two ways out: tunables that keep memory and use huge pages, best on 124M
    parameters (tcmalloc: 4 to 8 % more), and tcmalloc, best on the small ones (tunables: 6 %) and with
    15 % less memory; bench/compare.sh tries both for each case. jemalloc is as slow as malloc without
    MALLOC_CONF, and with it (no decay, huge pages) no faster than tcmalloc.
  - attention before scaled_dot_product_attention: baddbmm onto the mask, softmax, bmm. masked_fill takes
    2 % longer, scaled queries and an added mask 7 to 14 %, blocks of queries without the
    keys of their future 2 to 9 %.
  - AdamW: fused where it exists; before, foreach is no faster and takes a quarter more memory.
  - no difference: OMP_PROC_BIND=close, LLVM's OpenMP, set_flush_denormal. OMP_WAIT_POLICY=active: slower.
"""

import argparse
import json
import os
import statistics
import sys
import threading
import time
import tomllib

sys.dont_write_bytecode = True

DEFAULTS = {  # as docs/config.md has them
    "model": dict(family="gpt2", layers=6, heads=6, kv_heads=0, width=384, hidden=0, context=256,
                  vocab_size=0, dropout=0.0, tie_embeddings=True, norm_eps=1e-5, rope_theta=10000.0),
    "train": dict(batch=32, micro_batch=8, precision="fp32", clip=1.0, seed=1, recompute="none"),
    "optimizer": dict(kind="adamw", lr=6e-4, beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=0.1),
    "parallel": dict(threads=0),
}


def fail(message):
    sys.exit(f"torch_step.py: {message}")


def load_config(path, overrides):
    """The sections of DEFAULTS as the file and the overrides have them, derived values filled in."""
    with open(path, "rb") as file:
        given = tomllib.load(file)
    for override in overrides:
        key, separator, text = override.partition("=")
        section, dot, name = key.partition(".")
        if not separator or not dot:
            fail(f"--set takes section.key=value, got '{override}'")
        try:
            value = tomllib.loads("x = " + text)["x"]
        except tomllib.TOMLDecodeError:
            value = text
        given.setdefault(section, {})[name] = value
    c = {s: {k: given.get(s, {}).get(k, v) for k, v in keys.items()} for s, keys in DEFAULTS.items()}
    c["name"] = given.get("name", "run")
    m, t = c["model"], c["train"]
    m["kv_heads"] = m["kv_heads"] or m["heads"]
    m["hidden"] = m["hidden"] or 4 * m["width"]
    for what, ok in (("model.vocab_size > 0", m["vocab_size"] > 0), ("model.dropout = 0", not m["dropout"]),
                     ("train.recompute = none", t["recompute"] == "none"),
                     ("optimizer.kind = adamw", c["optimizer"]["kind"] == "adamw"),
                     ("model.family gpt2 or llama", m["family"] in ("gpt2", "llama")),
                     ("train.precision fp32 or bf16", t["precision"] in ("fp32", "bf16")),
                     ("a micro_batch that divides the batch", t["batch"] % t["micro_batch"] == 0)):
        if not ok:
            fail(f"needs {what}")
    return c


def status_bytes(key):
    """A field of /proc/self/status, as VmHWM or RssAnon."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    return 0


class Peak:
    """The largest anonymous memory seen by a thread that looks every 5 ms, while `with` holds."""

    def __init__(self):
        self.bytes = 0

    def look(self):
        self.bytes = max(self.bytes, status_bytes("RssAnon"))

    def watch(self):
        while not self.done.wait(0.005):
            self.look()

    def __enter__(self):
        self.done, self.thread = threading.Event(), threading.Thread(target=self.watch)
        self.thread.start()

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        self.look()


def matrix_library(torch):
    """Which BLAS computes FP32 products: with Debian's torch, whatever libblas.so.3 leads to."""
    if torch.backends.mkl.is_available():
        return "MKL"
    with open("/proc/self/maps") as file:
        paths = {line.split()[-1] for line in file if "/libblas.so" in line}
    folder = os.path.basename(os.path.dirname(min(paths, default="")))
    return {"": "unknown", "blas": "reference BLAS"}.get(folder, folder)


def make_optimizer(torch, model, o):
    parameters = list(model.parameters())
    groups = [dict(params=[p for p in parameters if p.dim() >= 2], weight_decay=o["weight_decay"]),
              dict(params=[p for p in parameters if p.dim() < 2], weight_decay=0.0)]
    common = dict(lr=o["lr"], betas=(o["beta1"], o["beta2"]), eps=o["eps"])
    try:
        return torch.optim.AdamW(groups, fused=True, **common)  # on CPUs: torch >= 2.4
    except (TypeError, RuntimeError):
        return torch.optim.AdamW(groups, **common)


def training_step(torch, model, optimizer, batch, clip, precision, clock=lambda phase: None):
    """One update from the micro-batches [(tokens, targets)]; targets of -1 do not count. The mean
    loss over the valid targets of all of them, and the gradient's norm before clipping."""
    valid = sum(int((targets >= 0).sum()) for _, targets in batch)
    optimizer.zero_grad(set_to_none=True)
    clock("data")
    total = 0.0
    for tokens, targets in batch:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            logits = model(tokens)
        loss = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), targets.flatten(), ignore_index=-1, reduction="sum") / valid
        del logits
        clock("forward")
        loss.backward()
        total += loss.item()
        clock("backward")
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip or float("inf")).item()
    clock("reduce")
    optimizer.step()
    clock("update")
    return total, norm


def random_batch(torch, c):
    m, t = c["model"], c["train"]
    tokens = torch.randint(m["vocab_size"], (t["batch"], m["context"] + 1))
    return list(zip(tokens[:, :-1].contiguous().split(t["micro_batch"]),
                    tokens[:, 1:].contiguous().split(t["micro_batch"])))


def framework(torch):
    """Debian's 1.13.1 calls itself 1.13.0a0."""
    return "torch " + torch.__version__.replace("1.13.0a0", "1.13.1")


def measure(c, steps, warmup, compiled):
    os.environ["OMP_NUM_THREADS"] = str(c["parallel"]["threads"])
    import torch
    import torch_model

    torch.set_num_threads(c["parallel"]["threads"])
    torch.manual_seed(c["train"]["seed"])
    baseline = status_bytes("RssAnon")
    peak = Peak()
    times, phases = [], {}
    with peak:
        model = torch_model.build(c["model"])
        optimizer = make_optimizer(torch, model, c["optimizer"])
        function = torch.compile(model) if compiled else model
        step = lambda clock: training_step(torch, function, optimizer, random_batch(torch, c),
                                           c["train"]["clip"], c["train"]["precision"], clock)
        for _ in range(warmup):
            step(lambda phase: None)
    for _ in range(steps):  # nobody watches: the thread would take time from these
        spent = dict.fromkeys(("data", "forward", "backward", "reduce", "update"), 0.0)
        start = last = time.perf_counter()

        def clock(phase):
            nonlocal last
            now = time.perf_counter()
            spent[phase] += now - last
            last = now

        step(clock)
        times.append(time.perf_counter() - start)
        for phase, seconds in spent.items():
            phases.setdefault(phase, []).append(seconds)
        peak.look()
    with peak:
        step(lambda phase: None)
    seconds = statistics.median(times)
    tokens = c["train"]["batch"] * c["model"]["context"]
    return dict(
        name=c["name"], framework=framework(torch),
        blas=matrix_library(torch), allocator=os.path.basename(os.environ.get("LD_PRELOAD", "")) or "malloc",
        precision=c["train"]["precision"], threads=torch.get_num_threads(),
        parameters=sum(p.numel() for p in model.parameters()), batch=c["train"]["batch"],
        context=c["model"]["context"], tokens_per_step=tokens, steps=steps, step_seconds=seconds,
        fastest_seconds=min(times), slowest_seconds=max(times), tokens_per_second=tokens / seconds,
        phases={phase: statistics.median(values) for phase, values in phases.items()},
        memory=dict(baseline_bytes=baseline, peak_rss_bytes=status_bytes("VmHWM"),
                    peak_anon_bytes=peak.bytes))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="?")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--steps", type=int, default=5, help="steps that are timed")
    parser.add_argument("--warmup", type=int, default=2, help="steps before them")
    parser.add_argument("--precision", choices=("fp32", "bf16"), help="instead of train.precision")
    parser.add_argument("--threads", type=int, help="instead of parallel.threads; 0: all cores")
    parser.add_argument("--compile", action="store_true", help="torch.compile the model (torch >= 2)")
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    parser.add_argument("--framework", action="store_true", help="only say which torch this is")
    arguments = parser.parse_args()
    if arguments.framework:
        import torch

        print(framework(torch))
        return
    if arguments.config is None:
        parser.error("which CONFIG?")
    c = load_config(arguments.config, arguments.set)
    if arguments.precision:
        c["train"]["precision"] = arguments.precision
    if arguments.threads is not None:
        c["parallel"]["threads"] = arguments.threads
    c["parallel"]["threads"] = c["parallel"]["threads"] or len(os.sched_getaffinity(0))
    result = measure(c, max(1, arguments.steps), max(1, arguments.warmup), arguments.compile)
    if result["blas"] == "reference BLAS":
        print("torch_step.py: torch computes with the reference BLAS, which is slow; "
              "install libopenblas0-openmp", file=sys.stderr)
    if arguments.json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        for name, part in value.items() if isinstance(value, dict) else ((key, value),):
            print(f"{name:<18} {part:,.6g}" if isinstance(part, float) else f"{name:<18} {part}")


if __name__ == "__main__":
    main()
