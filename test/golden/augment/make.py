"""Writes golden.json: what torchvision's functions make of one image, for what training does to images.

    python3 -m venv venv && venv/bin/pip install pillow==12.3.0 torchvision==0.29.2 numpy
    venv/bin/python make.py

`windows` are parts of the image, resized with antialiasing in float32.
"""

import base64
import json
from pathlib import Path

import numpy
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

random = numpy.random.default_rng(1812)
HEIGHT, WIDTH = 24, 20
noise = Image.fromarray(random.integers(0, 256, (9, 8, 3), dtype=numpy.uint8))
pixels = numpy.array(noise.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
pixels[:3] = 255
pixels[:, -4:] = 0


def text(values):
    return base64.b64encode(numpy.ascontiguousarray(values).tobytes()).decode()


def window(top, left, rows, columns, height, width, flip):
    image = torch.from_numpy(pixels).permute(2, 0, 1).float()
    part = F.resized_crop(
        image, top, left, rows, columns, [height, width], InterpolationMode.BILINEAR, antialias=True
    )
    part = (F.hflip(part) if flip else part).permute(1, 2, 0).numpy()
    return {
        "window": {"top": top, "left": left, "rows": rows, "columns": columns},
        "height": height,
        "width": width,
        "flip": flip,
        "values": text(part.astype(numpy.float32)),
    }


golden = {
    "pillow": PIL.__version__,
    "torchvision": torchvision.__version__,
    "height": HEIGHT,
    "width": WIDTH,
    "pixels": text(pixels),
    "windows": [
        window(0, 0, HEIGHT, WIDTH, 16, 16, False),
        window(5, 3, 7, 9, 16, 16, True),
        window(2, 1, 20, 5, 8, 12, False),
        window(23, 19, 1, 1, 4, 4, True),
        window(1, 2, 21, 17, 5, 3, True),
    ],
}
Path(__file__).with_name("golden.json").write_text(json.dumps(golden, indent=1) + "\n")
