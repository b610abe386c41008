#!/usr/bin/env python3
"""Writes choices.json: multiple-choice questions, and what a tiny model of transformers' makes of them in
float64, tokenised, cut and scored as lm-evaluation-harness does it.

    python3 tests/golden/generate_choices.py      # needs torch and transformers

Weights follow formula.py; tokens are bytes.
"""

import json
import math
import pathlib
import re

import numpy as np
import torch
import transformers

import formula
from generate_families import float64

CONFIG = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
              intermediate_size=40, max_position_embeddings=72, vocab_size=257, rms_norm_eps=1e-5,
              rope_theta=10000.0, tie_word_embeddings=False, bos_token_id=None, eos_token_id=None)
SCALE = 8.0  # of matrices, so that some choices are much likelier than others
LINES = [
    {"ind": 1, "activity_label": "Removing ice from car", "ctx_a": "Then, the man writes over  the snow.",
     "ctx_b": "then HE", "ctx": "unused", "split": "val", "label": "3",
     "endings": [", adds wax.", "gets [step] on the roof.", "[title] Stop here.", "is done  [substeps] now."]},
    {"activity_label": "Schlafen", "ctx_a": "[header] Früh ins Bett [title] Licht aus.", "ctx_b": "éteins [step] tout",
     "label": 0, "endings": ["Dann träumst du süß.", "Ωμέγα", "…", "z" * 30]},
    {"ctx": "A plain context [title] with brackets [removed].", "label": 1,
     "endings": ["First.", "Second one, which is longer than the first.", "Third"]},
    {"query": "2 + 2 =", "choices": ["4", "5", "twenty-two"], "gold": 0},
    {"query": "White space at the end: \n ", "choices": ["yes", "no, not at all"], "gold": 1},
    {"query": "A query that is longer than the context, of which only the end is left over for the model to see.",
     "choices": ["short", "a choice of several words", "x"], "gold": 2},
    {"query": "[brackets] stay  here", "choices": [" blank", "blank"], "gold": 0},
]


def preprocess(text):
    text = text.strip()
    text = text.replace(" [title]", ". ")
    text = re.sub("\\[.*?\\]", "", text)
    return text.replace("  ", " ")


def question(line):
    if "choices" in line:
        return line["query"], line["choices"], line["gold"]
    text = line["ctx_a"] + " " + line["ctx_b"].capitalize() if "ctx_a" in line else line["ctx"]
    label = line["activity_label"] + ": " if "activity_label" in line else ""
    return preprocess(label + text), [preprocess(e) for e in line["endings"]], int(line["label"])


def encode_pair(context, continuation):
    spaces = len(context) - len(context.rstrip())
    if spaces > 0:
        continuation = context[-spaces:] + continuation
        context = context[:-spaces]
    whole, before = (context + continuation).encode(), context.encode()
    return list(before), list(whole[len(before):])


def log_likelihood(model, context, continuation):
    before, after = encode_pair(context, " " + continuation)
    inputs = (before + after)[-(CONFIG["max_position_embeddings"] + 1):][:-1]
    with torch.no_grad():
        scores = torch.log_softmax(model(torch.tensor([inputs])).logits[0], -1)[-len(after):]
    return float(scores.gather(1, torch.tensor(after)[:, None]).sum())


def mean(values):
    n = len(values)
    p = sum(values) / n
    return {"value": p, "error": math.sqrt(sum((v - p) ** 2 for v in values) / (n - 1)) / math.sqrt(n)}


def main():
    with float64():
        config = transformers.AutoConfig.for_model("llama", **CONFIG)
        config._attn_implementation = "eager"
        model = transformers.AutoModelForCausalLM.from_config(config).eval()
        for key, p in model.named_parameters():
            values = formula.parameter(key, tuple(p.shape)).astype(np.float64)
            p.data = torch.from_numpy(values * (SCALE if values.ndim > 1 else 1))
        items = []
        for line in LINES:
            query, choices, gold = question(line)
            items.append({"line": json.dumps(line, ensure_ascii=False), "query": query, "choices": choices, "gold": gold,
                          "log_likelihoods": [log_likelihood(model, query, c) for c in choices]})
    right = [float(np.argmax(i["log_likelihoods"]) == i["gold"]) for i in items]
    by_length = [float(np.argmax([v / len(c.encode()) for v, c in zip(i["log_likelihoods"], i["choices"])]) == i["gold"])
                 for i in items]
    print(right, by_length)
    out = {"config": {"model_type": "llama", **CONFIG}, "scale": SCALE, "items": items,
           "accuracy": mean(right), "accuracy_normalised": mean(by_length)}
    path = pathlib.Path(__file__).with_name("choices.json")
    path.write_text(json.dumps(out, ensure_ascii=False).replace('{"line"', '\n{"line"') + "\n")


if __name__ == "__main__":
    main()
