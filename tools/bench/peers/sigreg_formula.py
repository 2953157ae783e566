"""Value and gradient of SIGReg by the textbook formula in PyTorch: every knot has its own cosine and sine.

Started by `npm run bench -- sigreg`. Prints `ready`, then answers each line `N` on standard input with a JSON list of the
milliseconds of N evaluations; ends when the input closes. With --memory it evaluates once and prints by how many bytes
the peak of resident memory grew; with --replay FILE (embeddings, then directions, raw float32) it prints value and gradient.
Written from arXiv 2511.08544: EP = N sum_t w_t ((mean cos(t x) - exp(-t^2/2))^2 + (mean sin(t x))^2).
"""

import argparse
import json
import resource
import sys
import time

import numpy
import torch

KNOTS, T_MAX = 17, 3.0


def rule():
    """Knots, weights of the trapezium rule for both signs of t, and the characteristic function of N(0, 1)."""
    t = torch.linspace(0, T_MAX, KNOTS)
    target = torch.exp(-t * t / 2)
    weights = torch.full((KNOTS,), 2 * T_MAX / (KNOTS - 1))
    weights[0] = weights[-1] = T_MAX / (KNOTS - 1)
    return t, target, weights * target


def sigreg(z, directions, t, target, weights):
    angles = (z @ directions).unsqueeze(-1) * t  # [V, N, M, T]
    real = angles.cos().mean(dim=1) - target
    imaginary = angles.sin().mean(dim=1)
    return ((real.square() + imaginary.square()) @ weights).mean() * z.shape[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", type=lambda text: [int(size) for size in text.split(",")], required=True)
    parser.add_argument("--mode", choices=["eager", "compile"], required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--replay")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    views, samples, dim, slices = options.shape
    if options.replay:
        numbers = torch.from_numpy(numpy.fromfile(options.replay, dtype=numpy.float32))
        z, directions = numbers.split([views * samples * dim, dim * slices])
        z, directions = z.reshape(views, samples, dim), directions.reshape(dim, slices)
    else:
        z = torch.randn(views, samples, dim)
        directions = torch.nn.functional.normalize(torch.randn(dim, slices), dim=0)
    z.requires_grad_()
    constants = rule()
    formula = torch.compile(sigreg) if options.mode == "compile" else sigreg

    def evaluate():
        z.grad = None
        start = time.perf_counter()
        value = formula(z, directions, *constants)
        value.backward()
        elapsed = 1000 * (time.perf_counter() - start)
        return value.item(), elapsed

    if options.replay:
        value, _ = evaluate()
        return print(json.dumps({"value": value, "grad": z.grad.flatten().tolist()}))
    if options.memory:
        peak = lambda: 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        before = peak()
        evaluate()
        return print(json.dumps({"bytes": peak() - before}))
    for _ in range(3):
        evaluate()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps([evaluate()[1] for _ in range(int(line))]), flush=True)


main()
