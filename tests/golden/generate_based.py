#!/usr/bin/env python3
"""Writes based.json: what families.json has, of tiny models of the family based, computed by based.py in float64.

    python3 tests/golden/generate_based.py      # needs torch, and transformers for what it shares
"""

import json
import pathlib

import numpy as np
import torch

import based
import formula
from generate_families import (POSITIONS, PROMPT, SCALE, VOCABULARY, greedy, loss_of, numbers, record)

CONV = {"_target_": "based.models.mixers.base_conv.BaseConv", "l_max": 256, "use_bias": True, "expand_proj": 4,
        "kernel_size": 3}
LINEAR = {"_target_": "based.models.mixers.linear_attention.LinearAttention", "l_max": 256, "num_heads": 4,
          "feature_dim": 5, "feature_map": {"_target_": "based.models.mixers.linear_attention.TaylorExp",
                                            "input_dim": 5}}
WINDOW = {"_target_": "based.models.mixers.slide_attention.SlidingAttention", "window_size": 8, "num_heads": 4,
          "causal": True}
SIZES = dict(model_type="gpt2", n_embd=24, n_layer=5, n_head=4, n_inner=40, n_positions=0, max_position_embeddings=0,
             vocab_size=VOCABULARY, layer_norm_epsilon=1e-5, rms_norm=True, activation_function="swiglu",
             mlp_fc1_bias=False, mlp_fc2_bias=False, qkv_proj_bias=False, out_proj_bias=False,
             rotary_emb_fraction=1, resid_pdrop=0.0, attn_pdrop=0.0, embd_pdrop=0.0, tie_word_embeddings=True,
             mixer=CONV, alt_mixer=LINEAR, alt_mixer_2=WINDOW, alt_mixer_layers=[1, 4], alt_mixer_2_layers=[2])
MODELS = {
    "based": SIZES,
    # Attention without a window, other widths of everything.
    "based_untied": dict(SIZES, tie_word_embeddings=False, n_layer=3, alt_mixer_2=None, rotary_emb_base=1000.0,
                         alt_mixer_layers=[0], alt_mixer_2_layers=[1],
                         mixer=dict(CONV, expand_proj=3, kernel_size=4),
                         alt_mixer=dict(LINEAR, feature_dim=2, feature_map=dict(LINEAR["feature_map"], input_dim=2))),
}


def make(name, config, data):
    model = based.GPTLMHeadModel(config)
    for key, p in model.named_parameters():
        p.data = torch.from_numpy(formula.parameter(key, tuple(p.shape)).astype(np.float64))
    with torch.no_grad():
        logits = model(torch.tensor([data["tokens"]])).logits[0]
    loss = loss_of(model, data["inputs"], data["targets"])
    loss.backward()
    gradients = {key: p.grad for key, p in model.named_parameters()}
    with torch.no_grad():
        for p in model.parameters():
            p *= SCALE if p.dim() > 1 else 1
        text, ties = greedy(model, data["tokens"][:PROMPT])
    return {
        "name": name, "config": config, "logits": [{"position": p, "values": numbers(logits[p])} for p in POSITIONS],
        "greedy": text, "ties": ties, "loss": float(f"{float(loss):.12g}"),
        "grad_norm": float(f"{np.sqrt(sum(float((g**2).sum()) for g in gradients.values())):.10g}"),
        "gradients": {key: record(key, g) for key, g in gradients.items()}}


def main():
    folder = pathlib.Path(__file__).parent
    families = json.loads((folder / "families.json").read_text())
    torch.set_default_dtype(torch.float64)
    models = []
    for name, config in MODELS.items():
        models.append(make(name, config, families))
        print(name, models[-1]["loss"], models[-1]["grad_norm"], "ties", models[-1]["ties"], "different tokens",
              len(set(models[-1]["greedy"])))
    (folder / "based.json").write_text(json.dumps({"models": models}).replace('{"name"', '\n{"name"') + "\n")


if __name__ == "__main__":
    main()
