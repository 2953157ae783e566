"""Writes resampled-positions.json: tables of positions brought to other grids, as timm's resample_abs_pos_embed does it.

    python3 packages/encoders/test/golden/resampled-positions.py

Needs torch (2.13.0+cpu wrote the file). In float64, rounded to 9 digits. `weights` is the gradient that comes back to the
result, `gradient` what reaches the table.
"""

import json
import pathlib

import torch

torch.manual_seed(1)


def resampled(table, from_grid, to_grid, prefix):
    """The grid's part of a table [1, prefix + L, D] by interpolation, the class token's as it is."""
    token, grid = table[:, :prefix], table[:, prefix:]
    images = grid.reshape(1, *from_grid, -1).permute(0, 3, 1, 2)
    images = torch.nn.functional.interpolate(images, size=to_grid, mode="bicubic", antialias=True)
    return torch.cat([token, images.permute(0, 2, 3, 1).reshape(1, to_grid[0] * to_grid[1], -1)], dim=1)


def numbers(tensor):
    return [float(f"{value:.9g}") for value in tensor.detach().flatten().tolist()]


cases = []
for from_grid, to_grid, prefix in [
    ((3, 3), (5, 5), 1),
    ((6, 6), (2, 2), 0),
    ((4, 4), (3, 7), 1),
    ((2, 2), (1, 6), 0),
    ((1, 1), (2, 3), 1),
]:
    count = from_grid[0] * from_grid[1]
    table = torch.randn(1, prefix + count, 2, dtype=torch.float64, requires_grad=True)
    result = resampled(table, from_grid, to_grid, prefix)
    weights = torch.randn_like(result)
    (result * weights).sum().backward()
    cases.append(
        {
            "from": from_grid,
            "to": to_grid,
            "prefix": prefix,
            "table": numbers(table),
            "result": numbers(result),
            "weights": numbers(weights),
            "gradient": numbers(table.grad),
        }
    )

golden = {"torch": torch.__version__, "dim": 2, "cases": cases}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(golden) + "\n")
