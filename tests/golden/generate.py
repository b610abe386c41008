#!/usr/bin/python3
"""Writes the golden numbers beside this file: see README.md. Needs Debian's python3-torch.

    /usr/bin/python3 tests/golden/generate.py
"""

import json
import math
import pathlib
import sys

import numpy as np
import torch

sys.dont_write_bytecode = True
import formula
import models

T, MICRO, ACCUMULATION, BATCHES, STEPS = 7, 3, 2, 4, 20
FULL_UP_TO = 600  # tensors with more elements are stored as projections and samples
PROJECTIONS = 8

LANGUAGE = {
    "gpt2": dict(family="gpt2", layers=2, heads=3, kv_heads=3, width=24, hidden=40, context=11,
                 vocab_size=61, tie_embeddings=True, norm_eps=1e-5),
    "llama": dict(family="llama", layers=2, heads=4, kv_heads=2, width=32, hidden=44, context=11,
                  vocab_size=53, tie_embeddings=False, norm_eps=1e-5, rope_theta=10000.0),
}
LANGUAGE["llama_tied"] = LANGUAGE["llama"] | dict(tie_embeddings=True)
MLP = dict(family="mlp", sizes=[5, 7, 9, 3], activations=["tanh", "relu"])

TRAINING = dict(steps=STEPS, accumulation=ACCUMULATION, clip=1.0, lr=1e-2, min_lr=1e-3,
                schedule="cosine", warmup_steps=4, horizon=STEPS, optimizer="adamw", beta1=0.9,
                beta2=0.95, eps=1e-8, weight_decay=0.1)


def learning_rate(s):
    """At step s from 0: linear warm-up, then half a cosine."""
    t = TRAINING
    if s < t["warmup_steps"]:
        return t["lr"] * (s + 1) / t["warmup_steps"]
    p = (s - t["warmup_steps"]) / max(1, t["horizon"] - t["warmup_steps"])
    return t["min_lr"] + 0.5 * (t["lr"] - t["min_lr"]) * (1 + math.cos(math.pi * p))


def language_batches(vocab):
    """BATCHES x ACCUMULATION micro-batches of MICRO sequences; a target of -1 does not count. The
    number of valid targets differs between the sequences of a micro-batch, and between those."""
    sequences = BATCHES * ACCUMULATION * MICRO
    tokens = (formula.words("tokens", sequences * (T + 1)) % np.uint64(vocab)).astype(np.int64)
    tokens = tokens.reshape(sequences, T + 1)
    order = formula.words("mask", sequences * T).reshape(sequences, T).argsort(1).argsort(1)
    valid = order < 1 + (3 * np.arange(sequences)[:, None] + 1) % T
    targets = np.where(valid, tokens[:, 1:], -1)
    shape = (BATCHES, ACCUMULATION, MICRO, T)
    return tokens[:, :-1].reshape(shape), targets.reshape(shape)


def mlp_batches():
    rows = BATCHES * ACCUMULATION * MICRO
    shape = (BATCHES, ACCUMULATION, MICRO, -1)
    inputs, targets = (((formula.uniform(name, rows * size) - 0.5) * 2).astype(np.float32).reshape(shape)
                       for name, size in (("inputs", MLP["sizes"][0]), ("targets", MLP["sizes"][-1])))
    return inputs, targets


class LanguageModel:
    def __init__(self, config):
        self.config, self.family = config, config["family"]
        self.shapes = getattr(models, self.family + "_shapes")(config)
        self.inputs, self.targets = language_batches(config["vocab_size"])

    def outputs(self, parameters, inputs):
        return getattr(models, self.family + "_logits")(parameters, self.config, inputs)

    def count(self, targets):
        return int((targets >= 0).sum())

    def loss_sum(self, parameters, inputs, targets):
        logits = self.outputs(parameters, torch.from_numpy(inputs))
        return torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), torch.from_numpy(targets).flatten(), ignore_index=-1, reduction="sum")


class Regression:
    def __init__(self):
        self.config, self.shapes = MLP, models.mlp_shapes(MLP)
        self.inputs, self.targets = mlp_batches()

    def outputs(self, parameters, inputs):
        dtype = parameters["net.0.weight"].dtype
        return models.mlp_outputs(parameters, self.config, torch.from_numpy(inputs).to(dtype))

    def count(self, targets):
        return targets.size

    def loss_sum(self, parameters, inputs, targets):
        y = self.outputs(parameters, inputs)
        return ((y - torch.from_numpy(targets).to(y.dtype)) ** 2).sum()


def start(model, dtype):
    return {name: torch.from_numpy(formula.parameter(name, shape)).to(dtype).requires_grad_()
            for name, shape in model.shapes.items()}


def train(model, dtype):
    """20 steps: per step the loss (before the update), gradient norm (before clipping), rate."""
    p = start(model, dtype)
    t = TRAINING
    groups = [dict(params=[v for v in p.values() if v.dim() >= 2], weight_decay=t["weight_decay"]),
              dict(params=[v for v in p.values() if v.dim() < 2], weight_decay=0.0)]
    optimizer = torch.optim.AdamW(groups, lr=t["lr"], betas=(t["beta1"], t["beta2"]), eps=t["eps"])
    steps = []
    for s in range(STEPS):
        inputs, targets = model.inputs[s % BATCHES], model.targets[s % BATCHES]
        count = model.count(targets)
        optimizer.zero_grad(set_to_none=True)
        loss = 0.0
        for m in range(ACCUMULATION):
            part = model.loss_sum(p, inputs[m], targets[m]) / count
            part.backward()
            loss += part.item()
        norm = math.sqrt(sum(v.grad.double().square().sum().item() for v in p.values()))
        factor = min(1.0, t["clip"] / (norm + 1e-6))
        for v in p.values():
            v.grad *= factor
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(s)
        optimizer.step()
        steps.append(dict(loss=loss, grad_norm=norm, lr=learning_rate(s)))
    return steps, p


def rounded(values, digits=10):
    return [float(f"{v:.{digits}g}") for v in np.asarray(values, dtype=np.float64).ravel()]


def summary(name, tensor, full=True):
    """What is stored of a tensor: all of it when it is small, else norm, projections, samples."""
    x = tensor.detach().double().numpy().ravel()
    out = dict(shape=list(tensor.shape), norm=float(np.linalg.norm(x)))
    if full and x.size <= FULL_UP_TO:
        return out | dict(values=rounded(x))
    out["dots"] = [float(x @ formula.direction(name, k, x.size)) for k in range(PROJECTIONS)]
    if full:
        index = formula.sample_index(name, x.size)
        out |= dict(index=index.tolist(), values=rounded(x[index]))
    return out


def first_micro_batch(model, dtype):
    p = start(model, dtype)
    inputs, targets = model.inputs[0, 0], model.targets[0, 0]
    loss = model.loss_sum(p, inputs, targets) / model.count(targets)
    loss.backward()
    return p, loss.item()


def golden(model):
    p, loss = first_micro_batch(model, torch.float64)
    steps, final = train(model, torch.float64)
    steps32, _ = train(model, torch.float32)
    result = dict(
        config=model.config, training=TRAINING, micro_batch=MICRO,
        inputs=model.inputs.tolist(), targets=model.targets.tolist(),
        loss=loss, loss_float32=first_micro_batch(model, torch.float32)[1],
        grad_norm=math.sqrt(sum(v.grad.square().sum().item() for v in p.values())),
        gradients={name: summary(name, v.grad) for name, v in p.items()},
        steps=steps, loss_float32_steps=[s["loss"] for s in steps32],
        final={name: summary(name, v, full=False) for name, v in final.items()})
    first = model.inputs[0, 0]
    outputs = model.outputs(p, first if model.config is MLP else torch.from_numpy(first)).detach()
    if model.config is MLP:
        result["outputs"] = [rounded(row) for row in outputs]
    else:
        result["logits"] = [dict(sequence=b, position=t, values=rounded(outputs[b, t]))
                            for b, t in ((0, 0), (1, 3), (2, T - 1))]
        check_masks(model)
    return result


def check_masks(model):
    """The masks are worth having: counts differ inside and between micro-batches."""
    counts = (model.targets >= 0).sum(-1)  # [BATCHES, ACCUMULATION, MICRO]
    assert all(len(set(micro)) == MICRO for micro in counts.reshape(-1, MICRO).tolist()), counts
    assert all(len(set(batch)) == ACCUMULATION for batch in counts.sum(-1).tolist()), counts


def write(name, result):
    lines = (f" {json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in result.items())
    path = pathlib.Path(__file__).with_name(name + ".json")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    worst = max(abs(a / b["loss"] - 1) for a, b in zip(result["loss_float32_steps"], result["steps"]))
    norms = [s["grad_norm"] for s in result["steps"]]
    print(f"{path.name}: {path.stat().st_size} bytes, loss {result['steps'][0]['loss']:.4f} -> "
          f"{result['steps'][-1]['loss']:.4f}, gradient norm {min(norms):.3f} ... {max(norms):.3f}, "
          f"float32 differs by {worst:.1e}")


def main():
    torch.set_num_threads(1)
    for name, config in LANGUAGE.items():
        write(name, golden(LanguageModel(config)))
    write("mlp", golden(Regression()))


main()
