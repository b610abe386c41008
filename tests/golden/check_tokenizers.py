#!/usr/bin/env python3
"""tests/golden/check_tokenizers.py [--write] [--live ANNEAL] [--megabytes N] [--only REGEX]

Compares Anneal's tokenizers with Hugging Face's `tokenizers` (PyPI). Trains a small tokenizer of
each configuration on texts of this machine, then

  --write        writes tests/golden/tokenizers.json: each tokenizer.json, texts that are hard to
                 get right, their ids and decoded texts; a C++ test reads it
  --live ANNEAL  encodes N (default 20) MB of mixed text with the program ANNEAL and prints the
                 first difference of each configuration
"""

import argparse
import glob
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).resolve().parent
GPT2_FILES = HERE.parent.parent.parent / "shared" / "data" / "gpt2"

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = LLAMA3.replace("{1,3}", "")

NASTY = [
    "", " ", "  ", "\n", "\r\n", "Hello world", " Hello  world\n\n", "I'll say it's DON'T WE'RE 'tis 'ſ",
    "def f(x):\n        return x**2  # square\n\n\n", "x = {\"a\": [1, 22, 333, 4444, 1234567]};\r\n\r\n\tif (!x) {}",
    "The year 2024, 3.14159 costs $1,000! ½ ² ٣٤ Ⅷ 四", "naïve café — “quotes”… e\u0301 a\u030a\u0323 \u1e9b\u0323 ﬁ ① Å ﷺ",
    "日本語のテキスト、中文文本。한국어 텍스트", "Привет, мир! Γειά σου שלום مرحبا नमस्ते สวัสดี ደህና",
    "🙂👍🏽👨‍👩‍👧‍👦🇩🇪 emoji❤️ #️⃣", "a\u00a0b\u3000 c\u2028d\u200be\ufeff\u00adf\u180eg", "\0\x01\x07\x1b[0m\x7f\x85\x9f",
    "a" * 60, "ab" * 40 + " " * 37 + "x", "\t \t\n \n  \r\n   y   ", "<s>text</s> <mask>  <|endoftext|>\n<unk> <0x41>",
    "<|endoftext|><|endoftext|> a <|end", "▁x ▁▁ y▁", "İstanbul STRASSE ǅ Σας ΑΣ", "word.another!punct?-_x__y",
    "  leading and trailing  ", "mask <mask> <mask>word<mask>", "tool tools stool tool", "\U0001f9ec𝒳𝔸 \U00010428 ꧁ \U0002070e", "\ufffd\ue000\U0010ffff",
    # Characters that the versions of Unicode differ in.
    "a\U0001e5f8\U00010d40 \u1c89\U00010d50 \U0001f16c\u32ff\U00011938 \u2e4f\u166d\u065e\u07fd\u0316 \u1df6\u0316",
]


def sample_texts(megabytes):
    """Files of this machine: code, documentation, many scripts."""
    patterns = ["/usr/share/perl/5*/**/*.p[lm]", "/usr/share/common-licenses/*",
                str(HERE.parent.parent / "build/demo/texts/**/*.txt"),
                "/usr/share/doc/**/*.txt", "/usr/share/i18n/locales/*", "/usr/lib/python3/**/*.py", "/usr/share/**/*.xml",
                "/usr/share/cmake*/**/*.cmake", "/usr/lib/python3.*/**/*.py", "/usr/share/i18n/charmaps/*", "/usr/include/**/*.h"]
    total, texts = 0, []
    for pattern in patterns:
        most = total + megabytes * 1000000 // 4
        for name in sorted(glob.glob(pattern, recursive=True)):
            if total >= min(most, megabytes * 1000000):
                break
            try:
                text = pathlib.Path(name).read_bytes().decode("utf-8")
            except (UnicodeDecodeError, OSError):
                continue
            text = text[:400000]
            texts.append(text)
            total += len(text.encode())
    return texts


def random_texts(count, seed=1):
    """Characters from everywhere, in runs of the same kind."""
    rng = random.Random(seed)
    ranges = [(0x20, 0x7F), (0x20, 0x7F), (0, 0x20), (0x80, 0x250), (0x300, 0x370), (0x370, 0x600), (0x600, 0x900),
              (0x900, 0x1200), (0x1E00, 0x2000), (0x2000, 0x2100), (0x2100, 0x2C00), (0x3000, 0x3100),
              (0x4E00, 0x9FFF), (0xAC00, 0xD7A4), (0xF900, 0xFFFE), (0x1D400, 0x1D800), (0x1F300, 0x1FB00), (0x0, 0xD800), (0x10000, 0x30000)]
    texts = []
    for _ in range(count):
        parts = []
        for _ in range(rng.randint(1, 40)):
            low, high = rng.choice(ranges)
            run = [chr(rng.randrange(low, high)) for _ in range(rng.randint(1, 8))]
            parts.append("".join(run) + rng.choice(["", "", " ", "  ", "\n", "'s", "12", "\u0301"]))
        texts.append("".join(parts))
    return texts


def bpe(**keys):
    return Tokenizer(models.BPE(**keys))


def configurations(training, vocab, share=False):
    """Name -> trained tokenizer. `share`: most have the same vocabulary, so that the golden file is small."""
    level = pre_tokenizers.ByteLevel
    byte_alphabet = level.alphabet()
    found = {}

    def byte_level(name, pre, normalizer=None, post=None, special=("<|endoftext|>", "<s>", "</s>"), added=(), **keys):
        t = bpe(**keys)
        if normalizer and not share:
            t.normalizer = normalizer
        t.pre_tokenizer = level(add_prefix_space=False) if share else pre
        t.decoder = decoders.ByteLevel()
        t.train_from_iterator(training, trainers.BpeTrainer(
            vocab_size=vocab, special_tokens=list(special), initial_alphabet=byte_alphabet, show_progress=False))
        t.pre_tokenizer = pre
        if normalizer:
            t.normalizer = normalizer
        if added:
            t.add_tokens(list(added))
        if post:
            t.post_processor = post(t)
        found[name] = t

    def template(t, first="<s>", last=None):
        ids = [(x, t.token_to_id(x)) for x in (first, last) if x]
        return processors.TemplateProcessing(single=f"{first} $A" + (f" {last}" if last else ""), special_tokens=ids)

    split = lambda r, b="isolated", i=False: pre_tokenizers.Split(Regex(r), b, i)
    byte_level("gpt2", level(add_prefix_space=False))
    byte_level("gpt2-prefix", level(add_prefix_space=True), post=lambda t: processors.RobertaProcessing(
        ("<s>", t.token_to_id("<s>")), ("</s>", t.token_to_id("</s>"))),
        added=[AddedToken("<mask>", lstrip=True, special=True)])
    byte_level("llama3", pre_tokenizers.Sequence([split(LLAMA3), level(add_prefix_space=False, use_regex=False)]),
               post=lambda t: processors.Sequence([processors.ByteLevel(trim_offsets=False), template(t)]), ignore_merges=True)
    byte_level("qwen2", pre_tokenizers.Sequence([split(QWEN), level(add_prefix_space=False, use_regex=False)]),
               normalizer=normalizers.NFC())
    byte_level("smollm", pre_tokenizers.Sequence([pre_tokenizers.Digits(True), level(add_prefix_space=False)]))
    byte_level("neox", level(add_prefix_space=False), normalizer=normalizers.NFC(),
               added=[AddedToken(" " * n, normalized=True) for n in range(20, 1, -1)] +
                     [AddedToken("tool", single_word=True), AddedToken("<mask>", rstrip=True, lstrip=True, normalized=False)])
    byte_level("no-regex", level(add_prefix_space=False, use_regex=False))
    for behavior in ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"):
        for invert in (False, True):
            byte_level(f"split-{behavior}-{invert}", pre_tokenizers.Sequence(
                [split(r"\s|\w+(?=\.)|[.,]", behavior, invert), level(add_prefix_space=False)]))
    byte_level("words", pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("contiguous"),
                                                 pre_tokenizers.Digits(False), level(add_prefix_space=True, use_regex=False)]))
    byte_level("blanks", pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation(),
                                                  level(add_prefix_space=False, use_regex=False)]))
    for name, steps in {
            "nfd": [normalizers.NFD()], "nfkc": [normalizers.NFKC(), normalizers.Lowercase()],
            "nfkd": [normalizers.NFKD(), normalizers.StripAccents()], "nmt": [normalizers.Nmt(), normalizers.Strip()],
            "replace": [normalizers.Replace("ll", "LL"), normalizers.Replace(Regex(r"\s{2,}|\d+"), "~")]}.items():
        byte_level(name, level(add_prefix_space=False), normalizer=normalizers.Sequence(steps))

    def with_bytes(t, fuse):
        data = json.loads(t.to_str())
        vocab_ = data["model"]["vocab"]
        for b in range(256):
            vocab_.setdefault(f"<0x{b:02X}>", len(vocab_))
        data["model"].update(byte_fallback=True, fuse_unk=fuse, unk_token="<unk>")
        return Tokenizer.from_str(json.dumps(data))

    def characters(name, pre=None, normalizer=None, fallback=True, decoder=None, post=True, fuse=True, **keys):
        t = bpe(unk_token="<unk>", fuse_unk=fuse, **keys)
        t.pre_tokenizer = pre_tokenizers.Metaspace()
        t.train_from_iterator(training, trainers.BpeTrainer(
            vocab_size=vocab, special_tokens=["<unk>", "<s>", "</s>"], limit_alphabet=80, show_progress=False))
        if fallback:
            t = with_bytes(t, fuse)
            t.add_special_tokens(["<unk>", "<s>", "</s>"])
        if normalizer:
            t.normalizer = normalizer
        t.pre_tokenizer = pre
        t.decoder = decoder or decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                                  decoders.Strip(" ", 1, 0)])
        if post:
            t.post_processor = template(t)
        found[name] = t

    space = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    characters("llama2", normalizer=space)
    for scheme in ("always", "first", "never"):
        for cut in (True, False):
            characters(f"mistral-{scheme}-{cut}", pre=pre_tokenizers.Metaspace(prepend_scheme=scheme, split=cut),
                       decoder=decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme=scheme)]))
    characters("unk-fused", pre=pre_tokenizers.Metaspace(), fallback=False, decoder=decoders.Metaspace())
    characters("unk-single", pre=pre_tokenizers.Metaspace(), fallback=False, fuse=False, decoder=decoders.Metaspace())
    characters("char-ignore-merges", pre=pre_tokenizers.Metaspace(), ignore_merges=True, decoder=decoders.Metaspace())

    for name, fallback in (("unigram", False), ("unigram-bytes", True)):
        t = Tokenizer(models.Unigram())
        t.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
        t.pre_tokenizer = pre_tokenizers.Metaspace()
        few = training if share else [t for t in training if t.isascii()] + NASTY  # it keeps every character
        t.train_from_iterator(few, trainers.UnigramTrainer(
            vocab_size=300 if share else 3000, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False))
        data = json.loads(t.to_str())
        vocab_ = data["model"]["vocab"]
        if fallback:
            vocab_ += [[f"<0x{b:02X}>", -20.0] for b in range(256)]
            data["model"]["byte_fallback"] = True
        t = Tokenizer.from_str(json.dumps(data))
        t.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
        t.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", t.token_to_id("</s>"))])
        found[name] = t
    return found


def encode(tokenizer, text, read_special, add_special):
    tokenizer.encode_special_tokens = not read_special
    return tokenizer.encode(text, add_special_tokens=add_special).ids


# Those that see all texts; the others see a third of them.
ALL_TEXTS = ["gpt2", "gpt2-prefix", "llama3", "qwen2", "neox", "llama2", "mistral-first-True", "unigram", "unigram-bytes"]


def write():
    training = [t[:3000] for t in sample_texts(1)[:60:6]] + NASTY * 2
    cases, vocabularies = [], []
    for number, (name, tokenizer) in enumerate(configurations(training, 310, share=True).items()):
        texts = []
        for i, text in enumerate(NASTY):
            if name not in ALL_TEXTS and (i + number) % 3:
                continue
            ids = encode(tokenizer, text, True, True)
            decoded = tokenizer.decode(ids, skip_special_tokens=True)
            texts.append([i, ids, None if decoded == text else decoded])
        data = json.loads(tokenizer.to_str())
        if "merges" in data["model"]:
            data["model"]["merges"] = [" ".join(m) for m in data["model"]["merges"]]
        parts = {key: data["model"].pop(key) for key in ("vocab", "merges") if key in data["model"]}
        if parts not in vocabularies:
            vocabularies.append(parts)
        cases.append({"name": name, "tokenizer": data, "vocabulary": vocabularies.index(parts), "texts": texts})
    out = HERE / "tokenizers.json"
    out.write_text(json.dumps({"texts": NASTY, "vocabularies": vocabularies, "cases": cases},
                              ensure_ascii=False, separators=(",", ":")) + "\n")
    print(f"{out}: {len(cases)} tokenizers, {len(NASTY)} texts, {out.stat().st_size} bytes")


def live(program, megabytes, only):
    texts = NASTY + random_texts(megabytes * 400) + sample_texts(megabytes)
    # Every character beside others, so that their classes show.
    everything = [chr(c) for c in range(1, 0x32400) if not 0xD800 <= c < 0xE000]
    texts += ["".join(f"a{c} {c}{c}1" for c in everything[i:i + 200]) for i in range(0, len(everything), 200)]
    size = sum(len(t.encode()) for t in texts)
    print(f"{len(texts)} texts, {size / 1e6:.1f} MB", flush=True)
    training = NASTY + [t[:20000] for t in texts[::97]]
    all_ = configurations(training, 2000)
    if GPT2_FILES.exists():
        t = Tokenizer(models.BPE.from_file(str(GPT2_FILES / "vocab.json"), str(GPT2_FILES / "merges.txt")))
        t.pre_tokenizer, t.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
        t.add_special_tokens(["<|endoftext|>"])
        all_["gpt2-real"] = t
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for i, text in enumerate(texts):
            names.append(f"{folder}/{i}")
            pathlib.Path(names[-1]).write_bytes(text.encode())
        for name, tokenizer in all_.items():
            if not re.search(only, name):
                continue
            path = f"{folder}/{name}.json"
            tokenizer.save(path)
            ours = []
            for i in range(0, len(names), 2000):
                out = subprocess.run([program, "tokenizer", "encode", "--special", "--add-special", "--tokenizer", path, *names[i:i + 2000]],
                                     capture_output=True, text=True)
                if out.returncode:
                    print(f"{name}: {out.stderr.strip()}")
                    break
                ours += out.stdout.split("\n")[:-1]
            tokenizer.encode_special_tokens = False
            theirs = [" ".join(map(str, e.ids)) for e in tokenizer.encode_batch(texts)]
            wrong = [i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b] if len(ours) == len(theirs) else [None]
            print(f"{name}: {'same' if not wrong else f'{len(wrong)} texts differ'}", flush=True)
            if wrong and wrong[0] is not None:
                show(tokenizer, texts[wrong[0]], ours[wrong[0]], theirs[wrong[0]])
            failures += bool(wrong)
    return failures


def show(tokenizer, text, ours, theirs):
    a, b = ours.split(), theirs.split()
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    token = tokenizer.id_to_token
    print(f"  at token {at}: ours {[token(int(x)) for x in a[at:at + 6]]}, theirs {[token(int(x)) for x in b[at:at + 6]]}")
    offsets = tokenizer.encode(text).offsets
    begin = offsets[at][0] if at < len(offsets) else 0
    print(f"  text there: {text[max(0, begin - 10):begin + 20]!a}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--live", metavar="ANNEAL")
    parser.add_argument("--megabytes", type=int, default=20)
    parser.add_argument("--only", metavar="REGEX", default="", help="with --live: configurations whose name matches")
    arguments = parser.parse_args()
    if arguments.write:
        write()
    if arguments.live:
        sys.exit(1 if live(os.path.abspath(arguments.live), arguments.megabytes, arguments.only) else 0)


main()
