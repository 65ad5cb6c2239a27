"""python3 torch_training.py LAYERS HEADS WIDTH CONTEXT VOCABULARY BATCH LENGTH STEPS THREADS: tokens per second of PyTorch.

GPT-2 as nanoGPT has it: tied head, learned positions, GELU, no dropout; a step is forward, backward, clipping at 1 and AdamW. Prints
"fp32 TOKENS_PER_SECOND" and "bf16 TOKENS_PER_SECOND" (autocast), medians over the steps.
"""
import math
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

layers, heads, width, context, vocabulary, batch, length, steps, threads = map(int, sys.argv[1:10])
torch.set_num_threads(threads)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.register_buffer("mask", torch.ones(length, length).tril().view(1, 1, length, length).bool())

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (y.view(b, t, heads, c // heads).transpose(1, 2) for y in self.qkv(self.ln1(x)).split(width, dim=2))
        scores = (q @ k.transpose(-2, -1)) / math.sqrt(c // heads)
        scores = scores.masked_fill(~self.mask, float("-inf")).softmax(-1)
        x = x + self.out((scores @ v).transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.ln2(x))))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks, self.norm = nn.ModuleList(Block() for _ in range(layers)), nn.LayerNorm(width)

    def forward(self, ids, targets):
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.tokens.weight)
        return F.cross_entropy(logits.view(-1, vocabulary).float(), targets.reshape(-1))


def measure(bf16):
    torch.manual_seed(1)
    model = Gpt()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, foreach=True)
    times = []
    for step in range(steps + 2):
        ids = torch.randint(vocabulary, (batch, length + 1))
        start = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            loss = model(ids[:, :-1], ids[:, 1:])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step >= 2:
            times.append(time.perf_counter() - start)
    return batch * length / statistics.median(times)


print("fp32", f"{measure(False):.0f}", flush=True)
print("bf16", f"{measure(True):.0f}", flush=True)
