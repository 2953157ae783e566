"""The PyTorch side: a model, its autograd and its optimiser. The objective is on the other side of the pipe.

    python3 encoder.py SEED ROWS DIM

Numbers come and go as float32, little-endian, without any framing. Each request begins with one number:

    0 (embed)  images [ROWS, 784]                   answer: embeddings [ROWS, DIM], each of its image alone
    1 (train)  learning rate, images [ROWS, 784]    answer: embeddings [ROWS, DIM]
               then the gradient of the loss by those embeddings, [ROWS, DIM]; no answer

It ends when its input does.
"""

import sys

import numpy
import torch
from torch import nn


def encoder(dim):
    """Any module will do that takes [N, 784] and gives [N, dim]."""

    def block(inputs, outputs, kernel):
        convolution = nn.Conv2d(inputs, outputs, kernel, stride=2, padding=1, bias=False)
        return convolution, nn.BatchNorm2d(outputs), nn.ReLU()

    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        *block(1, 16, 4),
        *block(16, 32, 3),
        *block(32, 64, 3),
        nn.Flatten(),
        nn.Linear(64 * 4 * 4, dim),
    )


def receive(*shape):
    count = int(numpy.prod(shape, dtype=int))
    data = sys.stdin.buffer.read(4 * count)
    if len(data) < 4 * count:
        sys.exit(0)
    return torch.frombuffer(bytearray(data), dtype=torch.float32).reshape(shape)


def send(tensor):
    sys.stdout.buffer.write(tensor.detach().numpy().tobytes())
    sys.stdout.buffer.flush()


def main():
    seed, rows, dim = (int(argument) for argument in sys.argv[1:])
    torch.set_num_threads(1)  # views and the objective are computed on another core
    torch.manual_seed(seed)
    model = encoder(dim)
    optimizer = torch.optim.Adam(model.parameters())
    while True:
        is_training = receive().item() == 1
        model.train(is_training)
        if not is_training:
            with torch.no_grad():
                send(model(receive(rows, 784)))
            continue
        for group in optimizer.param_groups:
            group["lr"] = receive().item()
        embeddings = model(receive(rows, 784))
        send(embeddings)
        optimizer.zero_grad()
        embeddings.backward(receive(rows, dim))  # the chain rule goes on from here
        optimizer.step()


if __name__ == "__main__":
    main()
