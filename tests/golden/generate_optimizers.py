#!/usr/bin/python3
"""Writes optimizers.json beside this file: parameters after 1 and 100 updates on fixed gradients, in
float64. torch.optim (Debian's python3-torch) where it has the optimizer; LAMB and Muon are plain NumPy,
written from the papers.

    /usr/bin/python3 tests/golden/generate_optimizers.py
"""

import json
import pathlib
import sys

import numpy as np
import torch

sys.dont_write_bytecode = True
import formula

STEPS = 100
PARAMETERS = {  # name: role, shape
    "wide.weight": ("matrix", (6, 10)),
    "tall.weight": ("residual_matrix", (9, 4)),
    "table.weight": ("embedding", (5, 6)),
    "zero.bias": ("bias", (7,)),
    "norm.weight": ("gain", (7,)),
    "norm.bias": ("norm_bias", (7,)),
}
DECAYS = {"matrix", "residual_matrix", "embedding"}
ADAM = dict(lr=1e-2, beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=0.1)
CASES = {
    "sgd": dict(kind="sgd", lr=0.3, weight_decay=0.01),
    "sgd_momentum": dict(kind="sgd", lr=0.1, weight_decay=0.01, momentum=0.9, dampening=0.3),
    "sgd_nesterov": dict(kind="sgd", lr=0.1, weight_decay=0.01, momentum=0.9, nesterov=True),
    "adam": ADAM | dict(kind="adam", weight_decay=0.01),
    "adamw": ADAM | dict(kind="adamw"),
    "rmsprop": dict(kind="rmsprop", lr=1e-2, alpha=0.9, eps=1e-6, weight_decay=0.01),
    "rmsprop_centered": dict(kind="rmsprop", lr=1e-3, alpha=0.95, eps=1e-6, weight_decay=0.01,
                             momentum=0.9, centered=True),
    "lamb": ADAM | dict(kind="lamb", eps=1e-6),
    "muon": ADAM | dict(kind="muon", momentum=0.95, nesterov=True),
}


def start(name, shape):
    return formula.parameter(name, shape).astype(np.float64) * (0 if name == "zero.bias" else 1)


def gradient(name, shape, step):
    """At step from 0: a part that stays and a part that changes, float32."""
    count = int(np.prod(shape))
    mean, noise = formula.uniform(f"{name}#mean", count), formula.uniform(f"{name}@{step}", count)
    return (0.02 * (mean - 0.5) + 0.05 * (noise - 0.5)).astype(np.float32).astype(np.float64).reshape(shape)


def rate(lr, step):
    return lr * (1 - 0.5 * step / STEPS)


class Torch:
    def __init__(self, c):
        self.p = {n: torch.from_numpy(start(n, s)).requires_grad_() for n, (_, s) in PARAMETERS.items()}
        groups = [dict(params=[v for n, v in self.p.items() if PARAMETERS[n][0] in DECAYS],
                       weight_decay=c["weight_decay"]),
                  dict(params=[v for n, v in self.p.items() if PARAMETERS[n][0] not in DECAYS], weight_decay=0)]
        adam = dict(betas=(c.get("beta1"), c.get("beta2")), eps=c.get("eps"))
        kind, options = dict(
            sgd=(torch.optim.SGD, dict(momentum=c.get("momentum", 0), dampening=c.get("dampening", 0),
                                       nesterov=c.get("nesterov", False))),
            adam=(torch.optim.Adam, adam), adamw=(torch.optim.AdamW, adam),
            rmsprop=(torch.optim.RMSprop, dict(alpha=c.get("alpha"), eps=c.get("eps"),
                                               momentum=c.get("momentum", 0),
                                               centered=c.get("centered", False))))[c["kind"]]
        self.optimizer = kind(groups, lr=c["lr"], **options)

    def step(self, gradients, t, lr):
        for name, g in gradients.items():
            self.p[name].grad = torch.from_numpy(g)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()

    def values(self):
        return {n: v.detach().numpy() for n, v in self.p.items()}


class Plain:
    """One parameter at a time; state is a dict of arrays."""

    def __init__(self, c):
        self.c = c
        self.p = {n: start(n, s) for n, (_, s) in PARAMETERS.items()}
        self.state = {n: dict(m=0.0, v=0.0) for n in PARAMETERS}

    def step(self, gradients, t, lr):
        for name, g in gradients.items():
            role = PARAMETERS[name][0]
            self.p[name] = self.update(role, self.p[name], g, self.state[name], t, lr)

    def values(self):
        return self.p

    def adam_ratio(self, g, s, t):
        c = self.c
        s["m"] = c["beta1"] * s["m"] + (1 - c["beta1"]) * g
        s["v"] = c["beta2"] * s["v"] + (1 - c["beta2"]) * g * g
        return s["m"] / (1 - c["beta1"] ** t) / (np.sqrt(s["v"] / (1 - c["beta2"] ** t)) + c["eps"])


class Lamb(Plain):
    """You et al., arXiv:1904.00962, algorithm 2, phi the identity."""

    def update(self, role, p, g, s, t, lr):
        u = self.adam_ratio(g, s, t) + (self.c["weight_decay"] if role in DECAYS else 0) * p
        of_p, of_u = np.linalg.norm(p), np.linalg.norm(u)
        ratio = of_p / of_u if of_p > 0 and of_u > 0 and role not in ("gain", "norm_bias") else 1
        return p - lr * ratio * u


class Muon(Plain):
    """Jordan et al. 2024 for matrices, scaled as in Liu et al., arXiv:2502.16982; AdamW for the rest."""

    def update(self, role, p, g, s, t, lr):
        c = self.c
        p = p * (1 - lr * (c["weight_decay"] if role in DECAYS else 0))
        if role not in ("matrix", "residual_matrix"):
            return p - lr * self.adam_ratio(g, s, t)
        s["m"] = c["momentum"] * s["m"] + g
        x = g + c["momentum"] * s["m"]
        return p - lr * 0.2 * max(p.shape) ** 0.5 * self.orthogonal(x)

    @staticmethod
    def orthogonal(x):
        if x.shape[0] > x.shape[1]:
            return Muon.orthogonal(x.T).T
        x = x / (np.linalg.norm(x) + 1e-7)
        for _ in range(5):
            a = x @ x.T
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        return x


def run(c):
    optimizer = dict(lamb=Lamb, muon=Muon).get(c["kind"], Torch)(c)
    stored = {}
    for step in range(STEPS):
        gradients = {n: gradient(n, s, step) for n, (_, s) in PARAMETERS.items()}
        optimizer.step(gradients, step + 1, rate(c["lr"], step))
        if step + 1 in (1, STEPS):
            stored[str(step + 1)] = {
                n: dict(shape=list(v.shape), norm=float(np.linalg.norm(v)),
                        values=[float(f"{x:.10g}") for x in v.ravel()])
                for n, v in optimizer.values().items()}
    return dict(config=c, after=stored)


def main():
    torch.set_num_threads(1)
    parameters = [dict(name=n, role=r, shape=list(s)) for n, (r, s) in PARAMETERS.items()]
    lines = [f' "steps": {STEPS}', f' "parameters": {json.dumps(parameters)}']
    lines += [f" {json.dumps(name)}: {json.dumps(run(c), separators=(',', ':'))}" for name, c in CASES.items()]
    path = pathlib.Path(__file__).with_name("optimizers.json")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{path.name}: {path.stat().st_size} bytes")


main()
