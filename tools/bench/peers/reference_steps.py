"""PyTorch twins of the benchmark's steps: forward, SIGReg, backward, AdamW on 4 views x 128 images of 28x28, or
4 x 32 of 64x64. Parameters are named as timm names them.

Started by `npm run bench -- peers`, one process for each (model, mode). Prints `ready`, then answers each line
`N` on standard input with a JSON list of the milliseconds of N steps; ends when the input closes.
Written from the definitions in tools/bench/reference-steps.ts and packages/encoders, arXiv 2010.11929 (ViT),
1512.03385 (ResNet) and 2511.08544 (SIGReg).
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass
from typing import Callable

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file

VIEWS, SLICES, KNOTS, T_MAX, LAMBDA = 4, 256, 17, 3.0, 0.05


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d))


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


class Mlp(nn.Module):
    def __init__(self, dim, ratio, activation):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, ratio * dim), nn.Linear(ratio * dim, dim)
        self.activation = activation

    def forward(self, x):
        return self.fc2(self.activation(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, dim, heads, activation, ratio=4):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(dim, eps=1e-6), Attention(dim, heads)
        self.norm2, self.mlp = nn.LayerNorm(dim, eps=1e-6), Mlp(dim, ratio, activation)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, channels, dim, patch):
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, patch, patch)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class ViT(nn.Module):
    def __init__(self, size, channels, patch, dim, depth, heads, activation, pool):
        super().__init__()
        self.dim, self.pool = dim, pool
        self.patch_embed = PatchEmbed(channels, dim, patch)
        tokens = (size // patch) ** 2
        if pool == "token":
            self.cls_token = nn.Parameter(1e-6 * torch.randn(1, 1, dim))
            tokens += 1
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, tokens, dim))
        self.blocks = nn.Sequential(*[Block(dim, heads, activation) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, x):
        x = self.patch_embed(x)
        if self.pool == "token":
            x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1)
        x = self.norm(self.blocks(x + self.pos_embed))
        return x[:, 0] if self.pool == "token" else x.mean(1)


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


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

    def forward(self, x):
        path = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(path + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    dim = 512

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        inputs = 64
        for stage, outputs in enumerate([64, 128, 256, 512]):
            blocks = [BasicBlock(inputs, outputs, 1 if stage == 0 else 2), BasicBlock(outputs, outputs, 1)]
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
            inputs = outputs

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))


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
        z = self.projector(self.encoder(images)).unflatten(0, (VIEWS, -1))
        prediction = (z - z.mean(0)).square().mean()
        angles = (z @ directions).unsqueeze(-1) * self.t
        error = (angles.cos().mean(1) - self.normal).square() + angles.sin().mean(1).square()
        sigreg = z.shape[1] * (error @ self.weights).mean()
        return (1 - LAMBDA) * prediction + LAMBDA * sigreg


def adamw(model):
    """Decay on matrices only: not on norms, biases, positions and class token."""
    others = ("pos_embed", "cls_token")
    decays = {p for name, p in model.named_parameters() if p.ndim > 1 and not name.endswith(others)}
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


@dataclass
class Reference:
    """An encoder, and the images of a step: their number over all views, channels and size."""

    encoder: Callable[[], nn.Module]
    images: tuple[int, int, int, int]


MODELS = {
    "vit": Reference(lambda: ViT(28, 1, 7, 64, 3, 4, quick_gelu, "mean"), (512, 1, 28, 28)),
    "conv": Reference(ConvNet, (512, 1, 28, 28)),
    "vit-tiny": Reference(lambda: ViT(64, 3, 16, 192, 12, 3, F.gelu, "token"), (128, 3, 64, 64)),
    "resnet18": Reference(ResNet18, (128, 3, 64, 64)),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=list(MODELS), required=True)
    parser.add_argument("--mode", choices=["eager", "compile"], required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--images", type=int, help="images of a step over all views, where not as many as usual")
    parser.add_argument("--replay", help="safetensors file of weights and inputs: print the losses of training on it")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    reference = MODELS[options.model]
    model = Objective(reference.encoder())
    if options.replay:
        return replay(model, load_file(options.replay))
    optimizer = adamw(model)
    loss_of = torch.compile(model) if options.mode == "compile" else model
    usual, *image = reference.images
    pool = [torch.randn(options.images or usual, *image) for _ in range(4)]
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
