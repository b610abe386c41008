"""The reference models in plain torch, under Hugging Face's parameter names and layouts.

A model is a function of (parameters by name, config, batch); `shapes(config)` lists its parameters
in the order of Hugging Face's modules. Nothing here depends on the dtype.
"""

import math

import torch


# --- GPT-2 -------------------------------------------------------------------------------------


def gpt2_shapes(c):
    w, h = c["width"], c["hidden"]
    shapes = {"transformer.wte.weight": (c["vocab_size"], w), "transformer.wpe.weight": (c["context"], w)}
    for n in range(c["layers"]):
        p = f"transformer.h.{n}."
        shapes |= {
            p + "ln_1.weight": (w,), p + "ln_1.bias": (w,),
            p + "attn.c_attn.weight": (w, 3 * w), p + "attn.c_attn.bias": (3 * w,),
            p + "attn.c_proj.weight": (w, w), p + "attn.c_proj.bias": (w,),
            p + "ln_2.weight": (w,), p + "ln_2.bias": (w,),
            p + "mlp.c_fc.weight": (w, h), p + "mlp.c_fc.bias": (h,),
            p + "mlp.c_proj.weight": (h, w), p + "mlp.c_proj.bias": (w,),
        }
    return shapes | {"transformer.ln_f.weight": (w,), "transformer.ln_f.bias": (w,)}


def gelu_new(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def layer_norm(x, gain, bias, eps):
    mean = x.mean(-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + eps) * gain + bias


def attention(q, k, v):
    """Causal softmax attention; q, k, v: [B, heads, T, head_dim]."""
    t = q.shape[2]
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    future = torch.ones(t, t, dtype=torch.bool).triu(1)
    return torch.softmax(scores.masked_fill(future, -math.inf), -1) @ v


def split_heads(x, heads):
    b, t, w = x.shape
    return x.view(b, t, heads, w // heads).transpose(1, 2)  # [B, heads, T, head_dim]


def join_heads(x):
    b, heads, t, d = x.shape
    return x.transpose(1, 2).reshape(b, t, heads * d)


def gpt2_logits(p, c, tokens):
    """tokens [B, T] -> logits [B, T, V]."""
    eps = c["norm_eps"]
    wte = p["transformer.wte.weight"]
    x = wte[tokens] + p["transformer.wpe.weight"][: tokens.shape[1]]
    for n in range(c["layers"]):
        h = {k.removeprefix(f"transformer.h.{n}."): v for k, v in p.items() if k.startswith(f"transformer.h.{n}.")}
        a = layer_norm(x, h["ln_1.weight"], h["ln_1.bias"], eps)
        qkv = a @ h["attn.c_attn.weight"] + h["attn.c_attn.bias"]
        q, k, v = (split_heads(y, c["heads"]) for y in qkv.chunk(3, -1))
        x = x + join_heads(attention(q, k, v)) @ h["attn.c_proj.weight"] + h["attn.c_proj.bias"]
        a = layer_norm(x, h["ln_2.weight"], h["ln_2.bias"], eps)
        a = gelu_new(a @ h["mlp.c_fc.weight"] + h["mlp.c_fc.bias"])
        x = x + a @ h["mlp.c_proj.weight"] + h["mlp.c_proj.bias"]
    x = layer_norm(x, p["transformer.ln_f.weight"], p["transformer.ln_f.bias"], eps)
    return x @ wte.T


# --- Llama -------------------------------------------------------------------------------------


def llama_shapes(c):
    w, h, v = c["width"], c["hidden"], c["vocab_size"]
    kv = w // c["heads"] * c["kv_heads"]
    shapes = {"model.embed_tokens.weight": (v, w)}
    for n in range(c["layers"]):
        p = f"model.layers.{n}."
        shapes |= {
            p + "self_attn.q_proj.weight": (w, w), p + "self_attn.k_proj.weight": (kv, w),
            p + "self_attn.v_proj.weight": (kv, w), p + "self_attn.o_proj.weight": (w, w),
            p + "mlp.gate_proj.weight": (h, w), p + "mlp.up_proj.weight": (h, w),
            p + "mlp.down_proj.weight": (w, h),
            p + "input_layernorm.weight": (w,), p + "post_attention_layernorm.weight": (w,),
        }
    shapes |= {"model.norm.weight": (w,)}
    return shapes if c["tie_embeddings"] else shapes | {"lm_head.weight": (v, w)}


def rms_norm(x, gain, eps):
    return x / torch.sqrt((x**2).mean(-1, keepdim=True) + eps) * gain


def rotate(x, theta):
    """Rotary positions as Hugging Face's Llama has them: element i is paired with i + d/2."""
    t, d = x.shape[2:]
    frequency = theta ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    angle = torch.arange(t, dtype=torch.float64)[:, None] * frequency
    angle = torch.cat((angle, angle), -1)  # [T, d]
    half = torch.cat((-x[..., d // 2 :], x[..., : d // 2]), -1)
    return x * angle.cos().to(x.dtype) + half * angle.sin().to(x.dtype)


def llama_logits(p, c, tokens):
    """tokens [B, T] -> logits [B, T, V]."""
    eps, heads, kv_heads = c["norm_eps"], c["heads"], c["kv_heads"]
    x = p["model.embed_tokens.weight"][tokens]
    for n in range(c["layers"]):
        h = {k.removeprefix(f"model.layers.{n}."): v for k, v in p.items() if k.startswith(f"model.layers.{n}.")}
        a = rms_norm(x, h["input_layernorm.weight"], eps)
        q = rotate(split_heads(a @ h["self_attn.q_proj.weight"].T, heads), c["rope_theta"])
        k = rotate(split_heads(a @ h["self_attn.k_proj.weight"].T, kv_heads), c["rope_theta"])
        v = split_heads(a @ h["self_attn.v_proj.weight"].T, kv_heads)
        k, v = (y.repeat_interleave(heads // kv_heads, 1) for y in (k, v))
        x = x + join_heads(attention(q, k, v)) @ h["self_attn.o_proj.weight"].T
        a = rms_norm(x, h["post_attention_layernorm.weight"], eps)
        gate, up = a @ h["mlp.gate_proj.weight"].T, a @ h["mlp.up_proj.weight"].T
        x = x + (gate * torch.sigmoid(gate) * up) @ h["mlp.down_proj.weight"].T
    x = rms_norm(x, p["model.norm.weight"], eps)
    return x @ p["model.embed_tokens.weight" if c["tie_embeddings"] else "lm_head.weight"].T


# --- regression MLP ----------------------------------------------------------------------------


def mlp_shapes(c):
    """Names as in torch.nn.Sequential(Linear, Tanh, Linear, ReLU, Linear)."""
    sizes = c["sizes"]
    shapes = {}
    for n in range(3):
        shapes[f"net.{2 * n}.weight"] = (sizes[n + 1], sizes[n])
        shapes[f"net.{2 * n}.bias"] = (sizes[n + 1],)
    return shapes


def mlp_outputs(p, c, inputs):
    """inputs [B, in] -> outputs [B, out]."""
    x = torch.tanh(inputs @ p["net.0.weight"].T + p["net.0.bias"])
    x = torch.relu(x @ p["net.2.weight"].T + p["net.2.bias"])
    return x @ p["net.4.weight"].T + p["net.4.bias"]
