"""Writes pillow-resize.json: images resized by Pillow, `resize(size, filter, box)`.

    pip install pillow==13.0.0 && python pillow_resize.py

Bytes of 1 and 3 channels, floats (mode "F") of 1. Images are half noise of two values, half a ramp, so that filters with
negative lobes leave 0..255. No height shrinks where the width grows: there Pillow 13 takes the
columns first, and Pillow before it and torchvision the rows."""

import json
import random
import struct
from pathlib import Path

import PIL
from PIL import Image

FILTERS = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# Height and width, the box as left, top, right, bottom, and the new height and width.
SHAPES = [
    ((12, 9), (0, 0, 9, 12), (5, 4)),
    ((12, 9), (0, 0, 9, 12), (17, 20)),
    ((9, 14), (2, 1, 13, 8), (3, 6)),
    ((9, 14), (1.5, 0.25, 12.75, 8.5), (6, 5)),
    ((16, 16), (3, 5, 10, 9), (8, 7)),
    ((5, 32), (0, 0, 32, 5), (5, 2)),
    ((7, 6), (2, 3, 3, 4), (3, 3)),
]


def pixels(draw, height, width, channels):
    values = []
    for y in range(height):
        for x in range(width):
            for c in range(channels):
                noisy = x < width / 2
                values.append(255 * draw.randrange(2) if noisy else (37 * x + 11 * y + 83 * c) % 256)
    return values


def case(draw, kind, channels, shape, filter_name):
    (height, width), box, size = shape
    values = pixels(draw, height, width, channels)
    if kind == "float32":
        values = [round(value / 255, 6) for value in values]
        data = struct.pack(f"<{len(values)}f", *values)
        image = Image.frombytes("F", (width, height), data)
    else:
        image = Image.frombytes("L" if channels == 1 else "RGB", (width, height), bytes(values))
    resized = image.resize((size[1], size[0]), FILTERS[filter_name], box)
    raw = resized.tobytes()
    if kind == "float32":
        expected = [round(value, 6) for value in struct.unpack(f"<{len(raw) // 4}f", raw)]
    else:
        expected = list(raw)
    return {
        "kind": kind,
        "filter": filter_name,
        "shape": [height, width, channels],
        "box": box,
        "size": size,
        "values": values,
        "expected": expected,
    }


def main():
    draw = random.Random(0)
    cases = []
    for filter_name in FILTERS:
        for shape in SHAPES:
            for kind, channels in [("uint8", 3), ("uint8", 1), ("float32", 1)]:
                cases.append(case(draw, kind, channels, shape, filter_name))
    content = {"versions": {"pillow": PIL.__version__}, "cases": cases}
    path = Path(__file__).with_name("pillow-resize.json")
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n")


main()
