#!/usr/bin/env python3
"""Writes families.json: logits, gradients and greedy text of tiny models as Hugging Face's transformers
computes them in float64.

    python3 tests/golden/generate_families.py      # needs torch, and transformers 4.51 or newer

Weights follow formula.py; a model is stored as its config.json.
"""

import contextlib
import json
import pathlib
from unittest import mock

import numpy as np
import torch
import transformers

import formula

VOCABULARY = 37
SIZES = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=40,
             max_position_embeddings=256, vocab_size=VOCABULARY, bos_token_id=None, eos_token_id=None,
             tie_word_embeddings=False)
LLAMA = dict(SIZES, num_key_value_heads=2, rms_norm_eps=1e-5, rope_theta=10000.0)
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32}
NEOX = dict(SIZES, layer_norm_eps=1e-5, rotary_pct=0.34)  # 2 of 6 columns
GPT2 = dict(n_embd=24, n_layer=2, n_head=4, n_inner=56, n_positions=256, vocab_size=VOCABULARY,
            resid_pdrop=0.0, attn_pdrop=0.0, embd_pdrop=0.0, bos_token_id=None, eos_token_id=None)
MODELS = {
    "gpt2": ("gpt2", GPT2),
    "gpt2_untied": ("gpt2", dict(GPT2, n_head=3, n_inner=None, tie_word_embeddings=False)),
    "llama": ("llama", dict(LLAMA, num_attention_heads=6, num_key_value_heads=3)),
    "llama3_scaling": ("llama", dict(LLAMA, rope_scaling=LLAMA3, head_dim=16)),
    "llama_narrow_heads": ("llama", dict(LLAMA, head_dim=4, tie_word_embeddings=True)),
    "mistral": ("mistral", dict(LLAMA, sliding_window=None, head_dim=8)),
    "mistral_window": ("mistral", dict(LLAMA, sliding_window=5)),
    "qwen2": ("qwen2", LLAMA),
    "qwen2_tied": ("qwen2", dict(LLAMA, tie_word_embeddings=True, num_key_value_heads=1)),
    "qwen2_window": ("qwen2", dict(LLAMA, use_sliding_window=True, sliding_window=5, max_window_layers=1)),
    "qwen3": ("qwen3", dict(LLAMA, head_dim=10)),
    "qwen3_tied": ("qwen3", dict(LLAMA, head_dim=6, num_attention_heads=6, num_key_value_heads=1,
                                 tie_word_embeddings=True)),
    "gpt_neox": ("gpt_neox", NEOX),
    "gpt_neox_sequential": ("gpt_neox", dict(NEOX, use_parallel_residual=False, hidden_act="gelu_fast",
                                             rotary_pct=1.0, num_attention_heads=3,
                                             tie_word_embeddings=True)),
}
POSITIONS = [0, 1, 23]
SEQUENCES, LENGTH = 3, 13  # of the loss whose gradients are stored; one target in six does not count
PROMPT, NEW = 8, 200       # tokens of greedy text
SCALE = 4.0                # of matrices for greedy text, which would only repeat itself otherwise
TIE = 1e-4                 # where the two best logits are nearer than this, the choice is open
STORED = 64                # elements; of larger tensors dot products and samples


@contextlib.contextmanager
def float64():
    """The models compute norms, rotary angles and softmax in torch.float32, whatever their weights are."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    with mock.patch.object(torch, "float32", torch.float64), \
         mock.patch.object(torch.Tensor, "float", torch.Tensor.double):
        yield
    torch.set_default_dtype(before)


def numbers(values):
    return [float(f"{float(v):.10g}") for v in values]


def record(name, tensor):
    """The tensor record that README.md describes."""
    flat = tensor.detach().numpy().astype(np.float64).ravel()
    out = {"shape": list(tensor.shape), "norm": float(f"{np.linalg.norm(flat):.10g}")}
    if flat.size <= STORED:
        return out | {"values": numbers(flat)}
    index = formula.sample_index(name, flat.size, 12)
    dots = [formula.direction(name, k, flat.size) @ flat for k in range(8)]
    return out | {"index": index.tolist(), "values": numbers(flat[index]), "dots": numbers(dots)}


def loss_of(model, inputs, targets):
    logits = model(torch.tensor(inputs)).logits
    return torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]),
                                             torch.tensor(targets).reshape(-1), ignore_index=-1)


def greedy(model, prompt):
    """Tokens, and the indices of those that were a close choice."""
    tokens, ties = list(prompt), []
    for i in range(NEW):
        best = model(torch.tensor([tokens])).logits[0, -1].topk(2)
        if best.values[0] - best.values[1] < TIE:
            ties.append(i)
        tokens.append(int(best.indices[0]))
    return tokens[len(prompt):], ties


def make(name, family, changes, tokens, inputs, targets):
    config = transformers.AutoConfig.for_model(family, **changes)
    config._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    for key, p in model.named_parameters():
        p.data = torch.from_numpy(formula.parameter(key, tuple(p.shape)).astype(np.float64))
    model.tie_weights()
    assert all(p.dtype == torch.float64 for p in model.parameters())
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0]
    loss = loss_of(model, inputs, targets)
    loss.backward()
    gradients = {key: p.grad for key, p in model.named_parameters()}
    with torch.no_grad():
        for p in model.parameters():
            p *= SCALE if p.dim() > 1 else 1
        text, ties = greedy(model, tokens[:PROMPT])
    written = config.to_dict()
    keep = ["model_type", "rope_scaling", "head_dim", "sliding_window", "use_sliding_window", "hidden_act",
            "use_parallel_residual", "tie_word_embeddings", *changes]
    return {
        "name": name, "config": {k: written[k] for k in dict.fromkeys(keep) if k in written},
        "logits": [{"position": p, "values": numbers(logits[p])} for p in POSITIONS],
        "greedy": text, "ties": ties, "loss": float(f"{float(loss):.12g}"),
        "grad_norm": float(f"{np.sqrt(sum(float((g**2).sum()) for g in gradients.values())):.10g}"),
        "gradients": {key: record(key, g) for key, g in gradients.items()}}


def main():
    def draw(name, count):
        return [int(w % VOCABULARY) for w in formula.words(name, count)]
    tokens = draw("families", 24)
    inputs = np.array(draw("families#inputs", SEQUENCES * LENGTH)).reshape(SEQUENCES, LENGTH).tolist()
    targets = [t if i % 6 != 5 else -1 for i, t in enumerate(draw("families#targets", SEQUENCES * LENGTH))]
    targets = np.array(targets).reshape(SEQUENCES, LENGTH).tolist()
    out = {"tokens": tokens, "prompt": PROMPT, "greedy_scale": SCALE,
           "inputs": inputs, "targets": targets, "models": []}
    with float64():
        for name, (family, changes) in MODELS.items():
            out["models"].append(make(name, family, changes, tokens, inputs, targets))
            model = out["models"][-1]
            print(name, model["loss"], model["grad_norm"], "ties", model["ties"], "different tokens",
                  len(set(model["greedy"])))
    path = pathlib.Path(__file__).with_name("families.json")
    path.write_text(json.dumps(out).replace('{"name"', '\n{"name"') + "\n")


if __name__ == "__main__":
    main()
