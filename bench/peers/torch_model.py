"""GPT-2 and Llama in plain PyTorch, as fast as torch.nn makes them, for any torch since 1.13.

The modules have Hugging Face's names, so that check_torch_model.py can compare them with
tests/golden; a Linear here is [out, in], where Hugging Face's GPT-2 has [in, out].
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class Attention(nn.Module):
    """Causal attention over q, k, v: [B, heads, T, d] -> [B, T, heads * d]."""

    def __init__(self, context):
        super().__init__()
        self.sdpa = getattr(F, "scaled_dot_product_attention", None)  # torch >= 2.0
        if self.sdpa is None:
            mask = torch.full((context, context), -math.inf).triu(1)
            self.register_buffer("mask", mask, persistent=False)

    def forward(self, q, k, v):
        b, h, t, d = q.shape
        if self.sdpa is not None:
            y = self.sdpa(q, k, v, is_causal=True)
        else:
            q, k, v = (x.reshape(b * h, t, d) for x in (q, k, v))
            mask = self.mask[:t, :t]
            if torch.is_autocast_cpu_enabled():  # which rounds the products, not the mask
                mask = mask.to(q.dtype)
            scores = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=1 / math.sqrt(d))
            y = torch.bmm(torch.softmax(scores, -1), v).view(b, h, t, d)
        return y.transpose(1, 2).reshape(b, t, h * d)


def heads_of(x, count):
    """[B, T, count * d] -> [B, count, T, d]."""
    b, t, w = x.shape
    return x.view(b, t, count, w // count).transpose(1, 2)


class Gpt2Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads = c["heads"]
        self.c_attn = nn.Linear(c["width"], 3 * c["width"])
        self.c_proj = nn.Linear(c["width"], c["width"])
        self.attention = Attention(c["context"])

    def forward(self, x):
        q, k, v = (heads_of(y, self.heads) for y in self.c_attn(x).chunk(3, -1))
        return self.c_proj(self.attention(q, k, v))


class Gpt2Mlp(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c_fc = nn.Linear(c["width"], c["hidden"])
        self.c_proj = nn.Linear(c["hidden"], c["width"])

    def forward(self, x):
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


class Gpt2Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.ln_1 = nn.LayerNorm(c["width"], eps=c["norm_eps"])
        self.attn = Gpt2Attention(c)
        self.ln_2 = nn.LayerNorm(c["width"], eps=c["norm_eps"])
        self.mlp = Gpt2Mlp(c)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Gpt2(nn.Module):
    """tokens [B, T] -> logits [B, T, V]."""

    def __init__(self, c):
        super().__init__()
        self.transformer = nn.ModuleDict(dict(
            wte=nn.Embedding(c["vocab_size"], c["width"]),
            wpe=nn.Embedding(c["context"], c["width"]),
            h=nn.ModuleList(Gpt2Block(c) for _ in range(c["layers"])),
            ln_f=nn.LayerNorm(c["width"], eps=c["norm_eps"])))
        self.lm_head = nn.Linear(c["width"], c["vocab_size"], bias=False)
        if c["tie_embeddings"]:
            self.lm_head.weight = self.transformer.wte.weight

    def forward(self, tokens):
        t = self.transformer
        x = t.wte(tokens) + t.wpe.weight[: tokens.shape[1]]
        for block in t.h:
            x = block(x)
        return self.lm_head(t.ln_f(x))


class RmsNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps
        self.fused = getattr(F, "rms_norm", None)  # torch >= 2.4

    def forward(self, x):
        if self.fused is not None:
            return self.fused(x, self.weight.shape, self.weight, self.eps)
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight


def rotate(x, cos, sin):
    """Rotary positions of x [B, heads, T, d]; element i is paired with i + d / 2."""
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class LlamaAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.kv_heads = c["heads"], c["kv_heads"]
        kv = c["width"] // c["heads"] * c["kv_heads"]
        self.q_proj = nn.Linear(c["width"], c["width"], bias=False)
        self.k_proj = nn.Linear(c["width"], kv, bias=False)
        self.v_proj = nn.Linear(c["width"], kv, bias=False)
        self.o_proj = nn.Linear(c["width"], c["width"], bias=False)
        self.attention = Attention(c["context"])

    def forward(self, x, cos, sin):
        q = rotate(heads_of(self.q_proj(x), self.heads), cos, sin)
        k = rotate(heads_of(self.k_proj(x), self.kv_heads), cos, sin)
        v = heads_of(self.v_proj(x), self.kv_heads)
        if self.kv_heads < self.heads:
            k, v = (y.repeat_interleave(self.heads // self.kv_heads, 1) for y in (k, v))
        return self.o_proj(self.attention(q, k, v))


class LlamaMlp(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c["width"], c["hidden"], bias=False)
        self.up_proj = nn.Linear(c["width"], c["hidden"], bias=False)
        self.down_proj = nn.Linear(c["hidden"], c["width"], bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class LlamaBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm = RmsNorm(c["width"], c["norm_eps"])
        self.self_attn = LlamaAttention(c)
        self.post_attention_layernorm = RmsNorm(c["width"], c["norm_eps"])
        self.mlp = LlamaMlp(c)

    def forward(self, x, cos, sin):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    """tokens [B, T] -> logits [B, T, V]."""

    def __init__(self, c):
        super().__init__()
        self.model = nn.ModuleDict(dict(
            embed_tokens=nn.Embedding(c["vocab_size"], c["width"]),
            layers=nn.ModuleList(LlamaBlock(c) for _ in range(c["layers"])),
            norm=RmsNorm(c["width"], c["norm_eps"])))
        self.lm_head = nn.Linear(c["width"], c["vocab_size"], bias=False)
        if c["tie_embeddings"]:
            self.lm_head.weight = self.model.embed_tokens.weight
        d = c["width"] // c["heads"]
        frequency = c["rope_theta"] ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
        angle = torch.arange(c["context"], dtype=torch.float64)[:, None] * frequency
        self.register_buffer("cos", angle.cos().float(), persistent=False)
        self.register_buffer("sin", angle.sin().float(), persistent=False)

    def forward(self, tokens):
        m, t = self.model, tokens.shape[1]
        x = m.embed_tokens(tokens)
        for block in m.layers:
            x = block(x, self.cos[:t], self.sin[:t])
        return self.lm_head(m.norm(x))


def build(c):
    """The model of a config's [model] section with GPT-2's initial weights."""
    model = {"gpt2": Gpt2, "llama": Llama}[c["family"]](c)
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    return model
