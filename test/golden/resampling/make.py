"""Writes golden.json: what torchvision's `Resize` and `CenterCrop` make of images, resampled by Pillow.

    python3 -m venv venv && venv/bin/pip install pillow==12.3.0 torchvision==0.29.2 numpy
    venv/bin/python make.py

Pillow 13 resamples the columns of some images before their rows, which moves some pixels by a grey level.
The images are noise of 32 by 32 pixels enlarged, so that they have both smooth places and edges, and a frame
of black and white on which a filter rings.
"""

import base64
import json
from pathlib import Path

import numpy
import PIL
import torchvision
from PIL import Image
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

random = numpy.random.default_rng(1812)
modes = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}


def image(height, width, channels):
    noise = random.integers(0, 256, (11, 11, channels), dtype=numpy.uint8)
    shape = noise if channels == 3 else noise[:, :, 0]
    pixels = numpy.array(Image.fromarray(shape).resize((width, height), Image.Resampling.NEAREST))
    pixels[:3] = 255
    pixels[:, -4:] = 0
    return pixels


def text(pixels):
    return base64.b64encode(numpy.ascontiguousarray(pixels).tobytes()).decode()


def case(pixels, shorterSide, height, width, resampler):
    resized = Resize(shorterSide, modes[resampler], antialias=True)(Image.fromarray(pixels))
    cut = numpy.array(CenterCrop((height, width))(resized))
    return {
        "fit": {"kind": "center-crop", "shorterSide": shorterSide, "resampler": resampler},
        "resized": [resized.height, resized.width],
        "height": height,
        "width": width,
        "pixels": text(cut),
    }


def cases(pixels, targets):
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    made = [case(pixels, *target, resampler) for target in targets for resampler in modes]
    return {"height": height, "width": width, "channels": channels, "pixels": text(pixels), "cases": made}


golden = {
    "pillow": PIL.__version__,
    "torchvision": torchvision.__version__,
    "images": [
        # Smaller; larger; as it is; odd numbers of pixels cut off on both sides.
        cases(image(61, 83, 3), [(24, 20, 24), (17, 16, 10), (71, 32, 30), (61, 30, 31)]),
        cases(image(90, 37, 1), [(26, 26, 25), (40, 23, 40), (5, 4, 5)]),
        cases(image(7, 41, 3), [(16, 16, 15), (7, 6, 7)]),
    ],
}
Path(__file__).with_name("golden.json").write_text(json.dumps(golden) + "\n")
