"""PyTorch twins of the two reference steps: forward, SIGReg, backward, AdamW on 4 views x 128 images of 28x28.

Started by `npm run bench -- peers`, one process for each (model, mode). Prints `ready`, then answers each line
`N` on standard input with a JSON list of the milliseconds of N steps; ends when the input closes.
Written from the definition in tools/bench/reference-steps.ts and the formula of arXiv 2511.08544.
"""

import argparse
import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

VIEWS, SAMPLES, SLICES, KNOTS, T_MAX, LAMBDA = 4, 128, 256, 17, 3.0, 0.05


class Block(nn.Module):
    def __init__(self, dim, heads, ratio):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.fc1, self.fc2 = nn.Linear(dim, ratio * dim), nn.Linear(ratio * dim, dim)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d))
        h = self.fc1(self.norm2(x))
        return x + self.fc2(h * torch.sigmoid(1.702 * h))


class ViT(nn.Module):
    dim = 64

    def __init__(self, patch=7, depth=3, heads=4, ratio=4):
        super().__init__()
        self.embed = nn.Conv2d(1, self.dim, patch, patch)
        self.position = nn.Parameter(0.02 * torch.randn(1, (28 // patch) ** 2, self.dim))
        self.blocks = nn.Sequential(*[Block(self.dim, heads, ratio) for _ in range(depth)])
        self.norm = nn.LayerNorm(self.dim, eps=1e-6)

    def forward(self, x):
        tokens = self.embed(x).flatten(2).transpose(1, 2) + self.position
        return self.norm(self.blocks(tokens)).mean(1)


def conv_bn(i, o, k, s):
    return nn.Sequential(nn.Conv2d(i, o, k, s, 1, bias=False), nn.BatchNorm2d(o))


class ConvNet(nn.Module):
    dim = 128

    def __init__(self):
        super().__init__()
        self.c1, self.c2, self.c3, self.c4 = conv_bn(1, 32, 4, 2), conv_bn(32, 64, 3, 2), conv_bn(64, 64, 3, 1), conv_bn(64, 128, 3, 2)

    def forward(self, x):
        h = F.relu(self.c2(F.relu(self.c1(x))))
        h = F.relu(h + self.c3(h))
        return F.relu(self.c4(h)).mean((2, 3))


class Objective(nn.Module):
    """(1 - lambda) * mean squared distance to the mean view + lambda * SIGReg of each view, averaged."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder
        self.projector = nn.Sequential(
            nn.Linear(encoder.dim, 256, bias=False), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 16, bias=False)
        )
        t = torch.linspace(0, T_MAX, KNOTS)
        trapezium = torch.full((KNOTS,), 2 * T_MAX / (KNOTS - 1))
        trapezium[[0, -1]] = T_MAX / (KNOTS - 1)
        normal = torch.exp(-t.square() / 2)
        self.register_buffer("t", t)
        self.register_buffer("normal", normal)
        self.register_buffer("weights", trapezium * normal)

    def forward(self, images, directions):
        z = self.projector(self.encoder(images)).reshape(VIEWS, SAMPLES, -1)
        prediction = (z - z.mean(0)).square().mean()
        angles = (z @ directions).unsqueeze(-1) * self.t
        error = (angles.cos().mean(1) - self.normal).square() + angles.sin().mean(1).square()
        sigreg = SAMPLES * (error @ self.weights).mean()
        return (1 - LAMBDA) * prediction + LAMBDA * sigreg


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=["vit", "conv"], required=True)
    parser.add_argument("--mode", choices=["eager", "compile"], required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = Objective(ViT() if options.model == "vit" else ConvNet())
    decayed = [p for p in model.parameters() if p.ndim > 1]
    other = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW([{"params": decayed}, {"params": other, "weight_decay": 0.0}], lr=2e-3, weight_decay=0.05, fused=True)
    loss_of = torch.compile(model) if options.mode == "compile" else model
    pool = [torch.randn(VIEWS * SAMPLES, 1, 28, 28) for _ in range(4)]
    done = 0

    def step():
        nonlocal done
        images, directions = pool[done % len(pool)], F.normalize(torch.randn(16, SLICES), dim=0)
        done += 1
        start = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 / (1 + done / 1000)
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(images, directions)
        loss.backward()
        optimizer.step()
        value = loss.item()
        elapsed = 1000 * (time.perf_counter() - start)
        assert value == value, "the loss is not a number"
        return elapsed

    for _ in range(4):
        step()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps([step() for _ in range(int(line))]), flush=True)


main()
