"""Numbers that C++ and Python compute alike, so that no weight need be stored.

    word(name, i)  = splitmix64(fnv1a64(name) + i)
    u(name, i)     = (word(name, i) >> 11) * 2**-53, in [0, 1)

All arithmetic on words is modulo 2**64; i is the row-major index of an element.
"""

import numpy as np

MASK = (1 << 64) - 1


def fnv1a64(name: str) -> int:
    """FNV-1a, 64 bits, of the UTF-8 bytes of a name."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def words(name: str, count: int) -> np.ndarray:
    """The first `count` words of the stream `name`: splitmix64 of (fnv1a64(name) + i)."""
    x = np.uint64(fnv1a64(name)) + np.arange(count, dtype=np.uint64)
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniform(name: str, count: int) -> np.ndarray:
    """The same as numbers in [0, 1), float64."""
    return (words(name, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def parameter(name: str, shape) -> np.ndarray:
    """The value of the parameter with this Hugging Face name, float32: gains 1 + (u - 0.5) * 0.2,
    biases (u - 0.5) * 0.1, every other tensor (u - 0.5) * 0.2; rounded to float32 last."""
    u = uniform(name, int(np.prod(shape)))
    if name.endswith(".bias"):
        values = (u - 0.5) * 0.1
    elif len(shape) == 1:
        values = 1 + (u - 0.5) * 0.2
    else:
        values = (u - 0.5) * 0.2
    return values.astype(np.float32).reshape(shape)


def direction(name: str, k: int, count: int) -> np.ndarray:
    """The k-th random direction to project the tensor `name` on: mean 0, variance 1, float64."""
    return (uniform(f"{name}#dot{k}", count) - 0.5) * np.sqrt(12.0)


def sample_index(name: str, count: int, wanted: int = 64) -> np.ndarray:
    """Which elements of a large tensor are stored."""
    return np.unique(words(f"{name}#index", wanted) % np.uint64(count)).astype(np.int64)
