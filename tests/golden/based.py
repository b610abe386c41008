"""The forward pass of Based (Arora et al. 2024, arXiv:2402.18668) in plain torch, in float64, with the parameter names of
HazyResearch/based. The original needs CUDA kernels; this is written from its description and code for small models.

    GPTLMHeadModel(config)(tokens [B, T]).logits [B, T, V]

`config` holds the members of the original's config.json that matter here.
"""

import math
import types

import torch
from torch import nn


class RMSNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x):
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + self.eps) * self.weight


def heads_of(x, heads):
    """[B, T, heads·D] -> [B, heads, T, D]"""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


class BaseConv(nn.Module):
    """Half of a projection, convolved over time and through SiLU, gates the other half."""

    def __init__(self, config, options):
        super().__init__()
        inner = options["expand_proj"] * config["n_embd"] // 2
        taps = options["kernel_size"]
        self.in_proj = nn.Linear(config["n_embd"], 2 * inner)
        self.out_proj = nn.Linear(inner, config["n_embd"])
        # Registered one level down, as in the original.
        self.conv1 = nn.Module()
        self.conv1.conv = nn.Conv1d(inner, inner, taps, groups=inner, padding=taps - 1, bias=False)

    def forward(self, x):
        gate, value = self.in_proj(x).chunk(2, -1)
        gate = self.conv1.conv(gate.transpose(1, 2))[..., :x.shape[1]].transpose(1, 2)
        return self.out_proj(nn.functional.silu(gate) * value)


class LinearAttention(nn.Module):
    def __init__(self, config, options):
        super().__init__()
        self.heads, self.features = options["num_heads"], options["feature_dim"]
        width = config["n_embd"]
        self.proj_q = nn.Linear(width, self.heads * self.features, bias=False)
        self.proj_k = nn.Linear(width, self.heads * self.features, bias=False)
        self.proj_v = nn.Linear(width, width, bias=False)
        self.out_proj = nn.Linear(width, width, bias=False)

    def feature_map(self, x):
        """phi with phi(q)·phi(k) = 1 + q·k/sqrt(d) + (q·k)²/2d: all d² products of two elements, not only different ones."""
        squares = (x.unsqueeze(-1) * x.unsqueeze(-2)).flatten(-2)
        d = self.features
        return torch.cat([torch.ones_like(x[..., :1]), x / d**0.25, squares / math.sqrt(2 * d)], -1)

    def forward(self, x):
        q = self.feature_map(heads_of(self.proj_q(x), self.heads))
        k = self.feature_map(heads_of(self.proj_k(x), self.heads))
        v = heads_of(self.proj_v(x), self.heads)
        weights = (q @ k.transpose(-1, -2)).tril()
        mixed = weights @ v / weights.sum(-1, keepdim=True)
        return self.out_proj(mixed.transpose(1, 2).flatten(-2))


class Attention(nn.Module):
    """Softmax attention over window_size // 2 tokens before one's own, or all of them."""

    def __init__(self, config, options):
        super().__init__()
        self.heads, self.base = config["n_head"], config.get("rotary_emb_base", 10000.0)
        self.before = options["window_size"] // 2 if options else None
        width = config["n_embd"]
        self.Wqkv = nn.Linear(width, 3 * width, bias=False)
        self.out_proj = nn.Linear(width, width, bias=False)

    def rotate(self, x):
        half = x.shape[-1] // 2
        angle = torch.arange(x.shape[-2])[:, None] * self.base ** (-torch.arange(half) / half)
        a, b = x[..., :half], x[..., half:]
        return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], -1)

    def forward(self, x):
        q, k, v = (heads_of(part, self.heads) for part in self.Wqkv(x).chunk(3, -1))
        scores = self.rotate(q) @ self.rotate(k).transpose(-1, -2) / math.sqrt(q.shape[-1])
        distance = torch.arange(x.shape[1])[:, None] - torch.arange(x.shape[1])
        hidden = distance < 0
        if self.before is not None:
            hidden |= distance > self.before
        mixed = scores.masked_fill(hidden, -math.inf).softmax(-1) @ v
        return self.out_proj(mixed.transpose(1, 2).flatten(-2))


class GatedMlp(nn.Module):
    """What is gated comes first, the gate last."""

    def __init__(self, config):
        super().__init__()
        self.fc1 = nn.Linear(config["n_embd"], 2 * config["n_inner"], bias=False)
        self.fc2 = nn.Linear(config["n_inner"], config["n_embd"], bias=False)

    def forward(self, x):
        value, gate = self.fc1(x).chunk(2, -1)
        return self.fc2(value * nn.functional.silu(gate))


def mixer_of(config, layer):
    place = "mixer"
    if layer in config["alt_mixer_layers"]:
        place = "alt_mixer"
    if layer in config["alt_mixer_2_layers"]:
        place = "alt_mixer_2"
    options = config[place]
    kinds = {"BaseConv": BaseConv, "LinearAttention": LinearAttention, "SlidingAttention": Attention}
    kind = kinds[options["_target_"].split(".")[-1]] if options else Attention
    return kind(config, options)


class Block(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        self.mixer, self.mlp = mixer_of(config, layer), GatedMlp(config)
        self.norm1 = RMSNorm(config["n_embd"], config["layer_norm_epsilon"])
        self.norm2 = RMSNorm(config["n_embd"], config["layer_norm_epsilon"])

    def forward(self, x):
        x = x + self.mixer(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class GPTLMHeadModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.transformer = nn.Module()
        self.transformer.embeddings = nn.Module()
        self.transformer.embeddings.word_embeddings = nn.Embedding(config["vocab_size"], config["n_embd"])
        self.transformer.layers = nn.ModuleList(Block(config, i) for i in range(config["n_layer"]))
        self.transformer.ln_f = RMSNorm(config["n_embd"], config["layer_norm_epsilon"])
        self.lm_head = nn.Linear(config["n_embd"], config["vocab_size"], bias=False)
        if config["tie_word_embeddings"]:
            self.lm_head.weight = self.transformer.embeddings.word_embeddings.weight

    def forward(self, tokens):
        x = self.transformer.embeddings.word_embeddings(tokens)
        for block in self.transformer.layers:
            x = block(x)
        return types.SimpleNamespace(logits=self.lm_head(self.transformer.ln_f(x)))
