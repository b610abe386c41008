#!/usr/bin/env python3
"""Compares a model directory of Anneal with what Hugging Face's transformers makes of it.

    tests/golden/check_transformers.py MODEL [--build build/release] [--text FILE]

MODEL is a checkpoint (runs/NAME/checkpoints/step-…). Loads it with AutoModelForCausalLM and
AutoTokenizer, and compares: encodings and decodings of odd strings; logits at every position, token
by token over Anneal's caches; the loss of `anneal eval` in FP32 on --text; greedy text. Prints the
numbers and fails if one is out of bounds. Needs torch, transformers and a build of all targets.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"  # texts may be longer than a context here

import numpy as np
import torch
import transformers

LOGITS = 1e-5  # of max(1, max|logit|)
LOSS = 1e-5  # relative
TIE = 1e-4  # greedy text may differ where the two best logits are this near
END = "<|endoftext|>"

ODD = [
    "", " ", "  ", "\n", "\r\n", "\t\t x", "a", " a", "a ", "a  b", "a   b\n\n\nc  \n",
    "it's we'll I'M you'd don't they've 're'", "can`t 'tis ''", "3.14159, 1_000_000 and x²+½=Ⅳ",
    "naïve café Ünïcödé Ελληνικά кириллица עברית العربية हिन्दी ไทย 中文字符 かな 한국어",
    "👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 e\u0301 \u200b\u00a0\u3000\ufeff", "\x00\x01\x7f", "x" * 1000, " " * 257,
    "\u2028line\u2029paragraph\x85next\x0b\x0c", "<|endoftext", f"a{END}b", END, f" {END} {END}",
    "def f(x):\n    return {'a': [1, 2.5e-3], **x}  # ok?\n", "\U0010ffff\U000e0001\ufffd",
]
PROMPTS = ["Return a list of", "The ", "def f(", "\n\n", "Note that this function is not"]


class Check:
    def __init__(self):
        self.failed = False

    def __call__(self, what, ok, numbers=""):
        self.failed |= not ok
        print(f"{'ok  ' if ok else 'FAIL'} {what}{': ' if numbers else ''}{numbers}")


def run(*command, text=None):
    result = subprocess.run([str(c) for c in command], input=text, stdout=subprocess.PIPE, check=True)
    return result.stdout


def read(path):
    return path.read_bytes().decode("utf-8")


def check_tokenizer(check, anneal, model, tokenizer):
    wrong = []
    for string in ODD:
        ours = run(anneal, "tokenizer", "encode", "--special", "--tokenizer", model,
                   text=string.encode()).decode()
        ids = [int(word) for word in ours.split()]
        back = run(anneal, "tokenizer", "decode", "--tokenizer", model, text=ours.encode()).decode()
        theirs = tokenizer(string, add_special_tokens=False)["input_ids"]
        decoded = tokenizer.decode(theirs, clean_up_tokenization_spaces=False)
        if ids != theirs or back != string or decoded != string:
            wrong.append(repr(string[:40]))
    check(f"encodings and decodings of {len(ODD)} strings equal", not wrong, ", ".join(wrong))


def check_logits(check, build, model, hf, tokens):
    text = " ".join(map(str, tokens)).encode()
    ours = np.frombuffer(run(build / "dump_logits", model, text=text), np.float32)
    ours = ours.reshape(len(tokens), -1)
    with torch.no_grad():
        theirs = hf(torch.tensor([tokens])).logits[0].numpy()
    largest = float(np.abs(theirs).max())
    difference = float(np.abs(ours - theirs).max())
    check(f"logits at {len(tokens)} positions", difference <= LOGITS * max(1, largest),
          f"max|Δ| {difference:.3g}, max|logit| {largest:.4g}")


def check_loss(check, anneal, model, hf, tokenizer, path):
    ours = json.loads(run(anneal, "eval", "--model", model, "--data", path, "--json"))
    text = read(path)
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    tokens.append(tokenizer.convert_tokens_to_ids(END))
    length = hf.config.max_position_embeddings
    samples = (len(tokens) - 1) // length
    total = 0.0
    with torch.no_grad():
        for i in range(samples):
            window = torch.tensor(tokens[i * length:(i + 1) * length + 1])
            logits = hf(window[None, :-1]).logits[0]
            total += torch.nn.functional.cross_entropy(logits, window[1:], reduction="sum").item()
    theirs = total / (samples * length)
    relative = abs(ours["loss"] - theirs) / theirs
    check(f"loss on {samples} × {length} tokens",
          relative <= LOSS and ours["tokens"] == samples * length,
          f"{ours['loss']:.9f} and {theirs:.9f}, relative Δ {relative:.3g}")


def check_greedy(check, anneal, model, hf, tokenizer, count):
    equal, ties = 0, 0
    for prompt in PROMPTS:
        ours = json.loads(run(anneal, "generate", "--model", model, "--prompt", prompt,
                              "--temperature", 0, "--max-tokens", count, "--json"))["tokens"]
        ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            out = hf.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False,
                              max_new_tokens=count, pad_token_id=hf.config.eos_token_id)[0]
            theirs = [t for t in out[ids.shape[1]:].tolist() if t != hf.config.eos_token_id]
            if ours == theirs:
                equal += 1
                continue
            at = next(i for i in range(count + 1) if ours[:i + 1] != theirs[:i + 1])
            best = hf(out[None, :ids.shape[1] + at]).logits[0, -1].topk(2).values
        ties += bool(best[0] - best[1] < TIE)
    check(f"greedy text, {count} tokens after {len(PROMPTS)} prompts", equal + ties == len(PROMPTS),
          f"{equal} equal" + (f", {ties} equal up to a tie" if ties else ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--text", type=pathlib.Path, help=f"UTF-8 text for the loss, without '{END}', which transformers takes for "
                        "the token and Anneal for text (default: README.md)")
    arguments = parser.parse_args()
    anneal = arguments.build / "anneal"
    tokenizer = transformers.AutoTokenizer.from_pretrained(arguments.model)
    hf, info = transformers.AutoModelForCausalLM.from_pretrained(
        arguments.model, torch_dtype=torch.float32, output_loading_info=True)
    hf.eval()
    print(f"transformers {transformers.__version__}, torch {torch.__version__}, "
          f"{type(hf).__name__}, {sum(p.numel() for p in hf.parameters())} parameters")
    check = Check()
    check("no tensor missing or unexpected", not info["missing_keys"] and not info["unexpected_keys"],
          " ".join(map(str, list(info["missing_keys"]) + list(info["unexpected_keys"]))))
    check_tokenizer(check, anneal, arguments.model, tokenizer)
    source = arguments.text or pathlib.Path(__file__).parents[2] / "README.md"
    tokens = tokenizer(read(source)[:20000], add_special_tokens=False)["input_ids"]
    tokens = tokens[:hf.config.max_position_embeddings]
    check_logits(check, arguments.build, arguments.model, hf, tokens)
    check_loss(check, anneal, arguments.model, hf, tokenizer, source)
    check_greedy(check, anneal, arguments.model, hf, tokenizer, min(100, len(tokens) // 2))
    sys.exit(check.failed)


if __name__ == "__main__":
    main()
