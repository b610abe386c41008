#!/usr/bin/env python3
"""Writes families.json: logits of tiny models as Hugging Face's transformers computes them in float64.

    python3 tests/golden/generate_families.py      # needs torch and transformers 4.45 or newer

Weights follow formula.py; a model is stored as its config.json.
"""

import json
import pathlib

import numpy as np
import torch
import transformers

import formula

SIZES = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             intermediate_size=40, max_position_embeddings=64, vocab_size=37, rms_norm_eps=1e-5,
             rope_theta=10000.0, tie_word_embeddings=False, bos_token_id=None, eos_token_id=None)
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32}
MODELS = {
    "llama3_scaling": ("llama", dict(rope_scaling=LLAMA3, head_dim=16)),
    "llama_narrow_heads": ("llama", dict(head_dim=4, tie_word_embeddings=True)),
    "mistral": ("mistral", dict(sliding_window=None, head_dim=8)),
    "qwen2": ("qwen2", {}),
    "qwen2_tied": ("qwen2", dict(tie_word_embeddings=True, num_key_value_heads=1)),
}
POSITIONS = [0, 1, 23]


def main():
    tokens = [int(w % 37) for w in formula.words("families", 24)]
    out = {"tokens": tokens, "models": []}
    for name, (family, changes) in MODELS.items():
        config = transformers.AutoConfig.for_model(family, **{**SIZES, **changes})
        model = transformers.AutoModelForCausalLM.from_config(config, torch_dtype=torch.float32).eval()
        for key, p in model.named_parameters():
            p.data = torch.from_numpy(np.array(formula.parameter(key, tuple(p.shape))))
        model = model.double()
        model.tie_weights()
        with torch.no_grad():
            logits = model(torch.tensor([tokens])).logits[0]
        written = config.to_dict()
        keep = ["model_type", "rope_scaling", "head_dim", "sliding_window", "use_sliding_window",
                "hidden_act", *SIZES]
        out["models"].append({
            "name": name, "config": {k: written[k] for k in keep if k in written},
            "logits": [{"position": p, "values": [float(f"{v:.10g}") for v in logits[p].tolist()]}
                       for p in POSITIONS]})
    path = pathlib.Path(__file__).with_name("families.json")
    path.write_text(json.dumps(out).replace('{"name"', '\n{"name"') + "\n")


if __name__ == "__main__":
    main()
