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
from safetensors.torch import load_file

VIEWS, SAMPLES, SLICES, KNOTS, T_MAX, LAMBDA = 4, 128, 256, 17, 3.0, 0.05


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d))


class Mlp(nn.Module):
    def __init__(self, dim, ratio):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, ratio * dim), nn.Linear(ratio * dim, dim)

    def forward(self, x):
        h = self.fc1(x)
        return self.fc2(h * torch.sigmoid(1.702 * h))


class Block(nn.Module):
    def __init__(self, dim, heads, ratio):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(dim, eps=1e-6), Attention(dim, heads)
        self.norm2, self.mlp = nn.LayerNorm(dim, eps=1e-6), Mlp(dim, ratio)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, dim, patch):
        super().__init__()
        self.proj = nn.Conv2d(1, dim, patch, patch)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class ViT(nn.Module):
    dim = 64

    def __init__(self, patch=7, depth=3, heads=4, ratio=4):
        super().__init__()
        self.patch_embed = PatchEmbed(self.dim, patch)
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, (28 // patch) ** 2, self.dim))
        self.blocks = nn.Sequential(*[Block(self.dim, heads, ratio) for _ in range(depth)])
        self.norm = nn.LayerNorm(self.dim, eps=1e-6)

    def forward(self, x):
        return self.norm(self.blocks(self.patch_embed(x) + self.pos_embed)).mean(1)


class ConvBatchNorm(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, 1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.bn(self.conv(x))


class Stage(ConvBatchNorm):
    def __init__(self, inputs, outputs, last):
        super().__init__(inputs, outputs, 3, 2)
        self.residual = None if last else ConvBatchNorm(outputs, outputs, 3, 1)

    def forward(self, x):
        h = F.relu(super().forward(x))
        return h if self.residual is None else F.relu(h + self.residual(h))


class ConvNet(nn.Module):
    dim = 128

    def __init__(self):
        super().__init__()
        self.stem = ConvBatchNorm(1, 32, 4, 2)
        self.stages = nn.Sequential(Stage(32, 64, last=False), Stage(64, 128, last=True))

    def forward(self, x):
        return self.stages(F.relu(self.stem(x))).mean((2, 3))


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


def adamw(model):
    """Decay on matrices only: not on norms, biases and positions."""
    decays = {p for name, p in model.named_parameters() if p.ndim > 1 and "pos_embed" not in name}
    groups = [
        {"params": [p for p in model.parameters() if p in decays]},
        {"params": [p for p in model.parameters() if p not in decays], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=2e-3, weight_decay=0.05, fused=True)


def update(model, loss_of, optimizer, rate, images, directions):
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    loss = loss_of(images, directions)
    loss.backward()
    optimizer.step()
    return loss.item()


def replay(model, tensors):
    """The losses of training from given weights on given images [K, B, H, W, C], directions [K, D, M] and rates [K]."""
    weights = {name[len("state."):]: value for name, value in tensors.items() if name.startswith("state.")}
    head = {name[len("projector."):]: value for name, value in weights.items() if name.startswith("projector.")}
    model.encoder.load_state_dict({name: value for name, value in weights.items() if not name.startswith("projector.")})
    model.projector.load_state_dict(head)
    optimizer = adamw(model)
    steps = zip(tensors["rates"].tolist(), tensors["images"].permute(0, 1, 4, 2, 3), tensors["directions"])
    print(json.dumps([update(model, model, optimizer, rate, x.contiguous(), a) for rate, x, a in steps]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=["vit", "conv"], required=True)
    parser.add_argument("--mode", choices=["eager", "compile"], required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--replay", help="safetensors file of weights and inputs: print the losses of training on it")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = Objective(ViT() if options.model == "vit" else ConvNet())
    if options.replay:
        return replay(model, load_file(options.replay))
    optimizer = adamw(model)
    loss_of = torch.compile(model) if options.mode == "compile" else model
    pool = [torch.randn(VIEWS * SAMPLES, 1, 28, 28) for _ in range(4)]
    done = 0

    def step():
        nonlocal done
        images, directions = pool[done % len(pool)], F.normalize(torch.randn(16, SLICES), dim=0)
        done += 1
        start = time.perf_counter()
        loss = update(model, loss_of, optimizer, 2e-6 * done, images, directions)
        elapsed = 1000 * (time.perf_counter() - start)
        assert loss == loss, "the loss is not a number"
        return elapsed

    for _ in range(4):
        step()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps([step() for _ in range(int(line))]), flush=True)


main()
