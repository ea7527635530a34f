"""Writes golden.json: what torchvision's functions make of one image, for what training does to images.

    python3 -m venv venv && venv/bin/pip install pillow==12.3.0 torchvision==0.29.2 numpy
    venv/bin/python make.py

`windows` are parts of the image, resized with antialiasing in float32. `operations` are those of RandAugment and
TrivialAugment, by Pillow on bytes; magnitudes are places in torchvision's tables.
"""

import base64
import json
from pathlib import Path

import numpy
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms import InterpolationMode, RandAugment, TrivialAugmentWide
from torchvision.transforms import functional as F
from torchvision.transforms.autoaugment import _apply_op

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


names = {
    "ShearX": "shear-x",
    "ShearY": "shear-y",
    "TranslateX": "translate-x",
    "TranslateY": "translate-y",
    "Rotate": "rotate",
    "Brightness": "brightness",
    "Color": "colour",
    "Contrast": "contrast",
    "Sharpness": "sharpness",
    "Posterize": "posterize",
    "Solarize": "solarize",
    "AutoContrast": "autocontrast",
    "Equalize": "equalize",
    "Identity": "identity",
}
part = numpy.ascontiguousarray(pixels[1:17, 6:19])
# Not from 0 to 255, and of more than 256 pixels: otherwise AutoContrast and Equalize do nothing.
large = numpy.array(noise.resize((26, 30), Image.Resampling.BICUBIC)) // 3 + 40


def operations(kind, table, bins):
    for name, (magnitudes, signed) in table.items():
        for bin in bins if magnitudes.ndim else (0,):
            for sign in (1, -1) if signed and bin else (1,):
                image = large if name in ("AutoContrast", "Equalize") else part
                magnitude = sign * (float(magnitudes[bin]) if magnitudes.ndim else 0.0)
                made = _apply_op(Image.fromarray(image), name, magnitude, InterpolationMode.BILINEAR, None)
                yield {"kind": kind, "name": names[name], "magnitude": sign * bin, "bytes": text(made)}


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
    "part": {"height": part.shape[0], "width": part.shape[1], "bytes": text(part)},
    "large": {"height": large.shape[0], "width": large.shape[1], "bytes": text(large)},
    "operations": [
        *operations("rand-augment", RandAugment()._augmentation_space(31, part.shape[:2]), (9,)),
        *operations("trivial-augment", TrivialAugmentWide()._augmentation_space(31), (4, 30)),
    ],
}
Path(__file__).with_name("golden.json").write_text(json.dumps(golden, indent=1) + "\n")
