#!/usr/bin/env python3
"""Writes gguf.json: blocks of each type that GGUF files come in, and what PyPI's gguf makes of them.

    python3 tests/golden/generate_gguf.py      # needs gguf and numpy
"""

import json
import pathlib

import gguf
import numpy as np
from gguf.quants import dequantize, quantize

TYPES = {"F16": 8, "BF16": 8, "Q8_0": 2, "Q4_0": 2, "Q4_1": 2, "Q5_0": 2, "Q4_K": 1, "Q6_K": 1}
# Where a block holds scales in half precision, which must be finite.
SCALES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q4_K": [0, 2], "Q6_K": [208]}


def main():
    rng = np.random.Generator(np.random.PCG64(7))
    cases = []
    for name, blocks in TYPES.items():
        qtype = gguf.GGMLQuantizationType[name]
        elements, size = gguf.GGML_QUANT_SIZES[qtype]
        if elements == 1:
            values = rng.normal(size=blocks).astype(np.float32)
            data = quantize(values, qtype).view(np.uint8).reshape(-1)
        else:
            data = rng.integers(0, 256, (blocks, size), dtype=np.uint8)
            for at in SCALES[name]:
                data[:, at:at + 2] = rng.normal(size=(blocks, 1)).astype(np.float16).view(np.uint8)
            data = data.reshape(-1)
        values = dequantize(data.reshape(1, -1) if elements > 1 else data, qtype).reshape(-1)
        cases.append({"type": name.lower(), "bytes": data.tobytes().hex(),
                      "values": [float(v) for v in values.astype(np.float32)]})
    values = rng.normal(size=(3, 32)).astype(np.float32)
    values[1] = 0
    values[2] *= 1e-3
    quantised = {"values": [float(v) for v in values.reshape(-1)],
                 "q8_0": quantize(values, gguf.GGMLQuantizationType.Q8_0).tobytes().hex()}
    text = json.dumps({"dequantised": cases, "quantised": quantised})
    path = pathlib.Path(__file__).with_name("gguf.json")
    path.write_text(text.replace("}, {", "},\n{") + "\n")


if __name__ == "__main__":
    main()
