"""For the test: the same training with the objective in PyTorch too, by its formula and autograd.

Reads, for each step, the learning rate, images [256, 784] and directions [32, 256] as raw float32 from standard input,
and prints the losses as JSON when the input ends.
"""

import atexit
import json

import torch

import encoder

VIEWS, ROWS, DIM, SLICES = 4, 256, 32, 256
KNOTS, T_MAX = 17, 3.0


def sigreg(z, directions):
    """Mean over views and slices of N sum_t w_t |mean exp(i t x) - exp(-t^2/2)|^2 (arXiv 2511.08544)."""
    t = torch.linspace(0, T_MAX, KNOTS)
    normal = torch.exp(-t * t / 2)
    weights = torch.full((KNOTS,), 2 * T_MAX / (KNOTS - 1)) * normal
    weights[[0, -1]] /= 2
    angles = (z @ directions).unsqueeze(-1) * t  # [V, N, M, T]
    distance = (angles.cos().mean(dim=1) - normal).square() + angles.sin().mean(dim=1).square()
    return z.shape[1] * (distance @ weights).mean()


losses = []
atexit.register(lambda: print(json.dumps(losses)))
torch.set_num_threads(1)
torch.manual_seed(0)
model = encoder.encoder(DIM)
optimizer = torch.optim.Adam(model.parameters())
while True:
    optimizer.param_groups[0]["lr"] = encoder.receive().item()
    z = model(encoder.receive(ROWS, 784)).reshape(VIEWS, ROWS // VIEWS, DIM)
    prediction = (z - z.mean(dim=0)).square().mean()
    loss = 0.95 * prediction + 0.05 * sigreg(z, encoder.receive(DIM, SLICES))
    losses.append(loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
