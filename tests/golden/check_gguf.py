#!/usr/bin/env python3
"""Compares Anneal's GGUF files with what PyPI's gguf and Hugging Face's transformers make of them.

    tests/golden/check_gguf.py [--build build/release] [FILE.gguf …]

Makes a tiny random model of every family, exports it in every type, and compares: all tensors, decoded
by gguf, with gguf's own quantisation of the weights; the logits of transformers' reading of the file
(where it reads the architecture) and of the imported directory with those of the model. Each
FILE.gguf is imported and its weights are compared with gguf's decoding of it. Needs gguf,
torch, transformers 4.51 or newer and a build of `anneal`.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import gguf
import numpy as np
import torch
import transformers
from gguf.quants import dequantize, quantize
from safetensors.numpy import load_file

LLAMA = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             intermediate_size=96, max_position_embeddings=64, vocab_size=320,
             bos_token_id=1, eos_token_id=2)
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 8192}
MODELS = {
    "llama": dict(LLAMA, tie_word_embeddings=False),
    "llama tied": dict(LLAMA, tie_word_embeddings=True),
    "llama scaled": dict(LLAMA, rope_scaling=LLAMA3),
    "mistral": dict(LLAMA, sliding_window=None),
    "qwen2": LLAMA,
    "qwen3": dict(LLAMA, head_dim=32),
    "gpt_neox": dict({k: v for k, v in LLAMA.items() if k != "num_key_value_heads"}, rotary_pct=0.25),
    "gpt_neox sequential": dict({k: v for k, v in LLAMA.items() if k != "num_key_value_heads"},
                                rotary_pct=1.0, use_parallel_residual=False),
    "gpt2": dict(n_embd=64, n_layer=2, n_head=4, n_positions=64, vocab_size=320, bos_token_id=1, eos_token_id=2),
}
ARCHITECTURES = {"mistral": "llama", "gpt_neox": "gptneox"}
TYPES = {"f32": "F32", "f16": "F16", "bf16": "BF16", "q8_0": "Q8_0"}
failed = False


def check(what, ok, numbers=""):
    global failed
    failed |= not ok
    print(f"{'ok  ' if ok else 'FAIL'} {what}{': ' if numbers else ''}{numbers}")


def run(*command):
    result = subprocess.run([str(c) for c in command], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    if result.returncode:
        sys.exit(f"{command}: {result.stderr.decode()}")
    return result.stdout


def write_tokenizer(directory):
    """Byte-level BPE with a few merges, as the tokenizers library writes it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator([__doc__ * 3], trainers.BpeTrainer(
        vocab_size=310, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.save(str(directory / "tokenizer.json"))
    return tokenizer


def permute(weights, heads):
    """As llama.cpp's convert_hf_to_gguf.py."""
    return (weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:])
            .swapaxes(1, 2).reshape(weights.shape))


def expected_tensor(name, weights, config, architecture):
    if architecture == "llama" and ".attn_q." in name:
        return permute(weights, config.num_attention_heads)
    if architecture == "llama" and ".attn_k." in name:
        return permute(weights, config.num_key_value_heads)
    if architecture == "gptneox" and ".attn_qkv." in name:
        heads = config.num_attention_heads
        return (weights.reshape(heads, 3, -1, *weights.shape[1:]).swapaxes(0, 1).reshape(weights.shape))
    if architecture == "gpt2" and weights.ndim == 2 and name.startswith("blk."):
        return weights.T
    return weights


def logits(model):
    with torch.no_grad():
        return model(torch.arange(40)[None] % 300).logits[0]


def check_model(anneal, name, changes, scratch):
    directory = scratch / name.replace(" ", "_")
    directory.mkdir()
    torch.manual_seed(5)
    config = transformers.AutoConfig.for_model(name.split()[0], **changes)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    for p in model.parameters():
        p.data += torch.randn_like(p) * 0.05
    model.save_pretrained(directory)
    tokenizer = write_tokenizer(directory)
    weights = {k: v.detach().numpy() for k, v in model.named_parameters()}
    architecture = ARCHITECTURES.get(config.model_type, config.model_type)
    arch = {v: k for k, v in gguf.MODEL_ARCH_NAMES.items()}[architecture]
    names = gguf.get_tensor_name_map(arch, 2)
    reference = logits(model)
    for kind, ggml in TYPES.items():
        file = scratch / "model.gguf"
        run(anneal, "model", "export", "--model", directory, "--out", file, "--type", kind)
        reader = gguf.GGUFReader(file)
        tensors = {t.name: t for t in reader.tensors if t.name != "rope_freqs.weight"}
        wrong = []
        for hf_name, values in weights.items():
            ours = names.get_name(hf_name, try_suffixes=(".weight", ".bias"))
            if ours not in tensors:
                wrong.append(f"no {ours}")
                continue
            values = np.ascontiguousarray(expected_tensor(ours, values, config, architecture))
            qtype = gguf.GGMLQuantizationType.F32 if values.ndim == 1 else gguf.GGMLQuantizationType[ggml]
            theirs = dequantize(quantize(values, qtype), qtype).reshape(values.shape)
            t = tensors.pop(ours)
            if not np.array_equal(dequantize(t.data, t.tensor_type).reshape(values.shape), theirs):
                wrong.append(ours)
        check(f"{name} {kind}: {len(weights)} tensors", not wrong and not tensors,
              " ".join(wrong + list(tensors)))

        back = scratch / "back"
        run(anneal, "model", "import", file, "--out", back)
        tolerance = {"f32": 1e-6, "f16": 2e-3, "bf16": 2e-2, "q8_0": 5e-2}[kind] * float(reference.abs().max())
        imported = transformers.AutoModelForCausalLM.from_pretrained(back).eval()
        difference = float((logits(imported) - reference).abs().max())
        check(f"{name} {kind}: imported again", difference <= tolerance, f"max|Δ logit| {difference:.2g}")
        if kind == "f32":
            again = transformers.PreTrainedTokenizerFast(tokenizer_file=str(back / "tokenizer.json"))
            text = "Compares 12 files, naïve </s> <s>x"
            check(f"{name}: tokenizer", again(text)["input_ids"] == tokenizer.encode(text).ids)
            # It takes every head for untied, and knows few architectures and no scaling there.
            if architecture in ("llama", "qwen2") and name not in ("llama tied", "llama scaled"):
                direct = transformers.AutoModelForCausalLM.from_pretrained(
                    scratch, gguf_file="model.gguf").eval()
                difference = float((logits(direct) - reference).abs().max())
                check(f"{name}: read by transformers", difference <= tolerance, f"max|Δ logit| {difference:.2g}")


def check_file(anneal, path, scratch):
    back = scratch / "file"
    run(anneal, "model", "import", path, "--out", back)
    config = transformers.AutoConfig.from_pretrained(back)
    reader = gguf.GGUFReader(path)
    architecture = ARCHITECTURES.get(config.model_type, config.model_type)
    arch = {v: k for k, v in gguf.MODEL_ARCH_NAMES.items()}[architecture]
    names = gguf.get_tensor_name_map(arch, 200)
    tensors = {t.name: t for t in reader.tensors}
    wrong, count = [], 0
    for hf_name, values in load_file(back / "model.safetensors").items():
        ours = names.get_name(hf_name, try_suffixes=(".weight", ".bias"))
        theirs = dequantize(tensors[ours].data, tensors[ours].tensor_type)
        values = expected_tensor(ours, values, config, architecture)
        count += 1
        if not np.array_equal(values, theirs.reshape(values.shape)):
            wrong.append(ours)
    check(f"{path}: {count} tensors", not wrong, " ".join(wrong))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=pathlib.Path, nargs="*")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    arguments = parser.parse_args()
    print(f"transformers {transformers.__version__}, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as scratch:
        for name, changes in MODELS.items():
            check_model(arguments.build / "anneal", name, changes, pathlib.Path(scratch))
        for path in arguments.files:
            check_file(arguments.build / "anneal", path, pathlib.Path(scratch))
    sys.exit(failed)


if __name__ == "__main__":
    main()
