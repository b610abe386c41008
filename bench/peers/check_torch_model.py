#!/usr/bin/env python3
"""Checks that bench/peers computes the models that Anneal's golden tests hold it to.

    bench/peers/check_torch_model.py

Loss, gradient norm and 20 updates of torch_step.py's own step in float64, against tests/golden; fails if
one differs by more than 1e-6, relatively.
"""

import json
import math
import pathlib
import sys

sys.dont_write_bytecode = True
GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden"
sys.path.append(str(GOLDEN))

import formula
import torch
import torch_model
import torch_step

TOLERANCE = 1e-6


def fill(model):
    """The formula's weights; GPT-2's matrices are transposed, as Hugging Face has them [in, out]."""
    for name, p in model.named_parameters():
        transposed = p.dim() == 2 and ".h." in name
        shape = p.shape[::-1] if transposed else p.shape
        value = torch.from_numpy(formula.parameter(name, tuple(shape)))
        p.data.copy_(value.T if transposed else value)


def rate(t, s):
    """The schedule of tests/golden: linear warm-up, then half a cosine."""
    if s < t["warmup_steps"]:
        return t["lr"] * (s + 1) / t["warmup_steps"]
    p = (s - t["warmup_steps"]) / max(1, t["horizon"] - t["warmup_steps"])
    return t["min_lr"] + 0.5 * (t["lr"] - t["min_lr"]) * (1 + math.cos(math.pi * p))


def worst_difference(golden):
    t = golden["training"]
    model = torch_model.build(golden["config"])
    fill(model)
    model.double()
    optimizer = torch_step.make_optimizer(torch, model, t)
    inputs, targets = torch.tensor(golden["inputs"]), torch.tensor(golden["targets"])
    worst = 0.0
    for s, expected in enumerate(golden["steps"]):
        for group in optimizer.param_groups:
            group["lr"] = rate(t, s)
        batch = list(zip(inputs[s % len(inputs)], targets[s % len(inputs)]))
        loss, norm = torch_step.training_step(torch, model, optimizer, batch, t["clip"], "fp64")
        worst = max(worst, abs(loss / expected["loss"] - 1), abs(norm / expected["grad_norm"] - 1))
    return worst


failed = False
for name in ("gpt2", "llama", "llama_tied"):
    difference = worst_difference(json.loads((GOLDEN / f"{name}.json").read_text()))
    failed |= not difference <= TOLERANCE
    print(f"{name}: losses and gradient norms of 20 steps differ by at most {difference:.1e}")
sys.exit(failed)
