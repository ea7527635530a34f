"""Writes golden.json: what Pillow's bilinear resize makes of one image under several placements.

    python3 -m venv venv && venv/bin/pip install pillow
    venv/bin/python make.py

Pillow mirrors the image, cuts the part that the frame shows and resizes it to the covered pixels. It cannot
show more than there is, so covered parts begin and end at whole pixels of the frame.
"""

import json
from pathlib import Path

import PIL
from PIL import Image, ImageOps

HEIGHT, WIDTH = 12, 16
pixels = [(i * i * 31 + 7 * i) % 256 for i in range(HEIGHT * WIDTH)]
source = Image.frombytes("L", (WIDTH, HEIGHT), bytes(pixels)).convert("F")


def placed(flip, flipVertical, scale, top, left):
    image = ImageOps.mirror(source) if flip else source
    image = ImageOps.flip(image) if flipVertical else image
    covered = [
        max(0, top),
        max(0, left),
        min(HEIGHT, top + HEIGHT * scale),
        min(WIDTH, left + WIDTH * scale),
    ]
    assert all(float(edge).is_integer() for edge in covered)
    y1, x1, y2, x2 = map(int, covered)
    part = ((x1 - left) / scale, (y1 - top) / scale, (x2 - left) / scale, (y2 - top) / scale)
    frame = Image.new("F", (WIDTH, HEIGHT), 0)
    frame.paste(image.resize((x2 - x1, y2 - y1), Image.Resampling.BILINEAR, box=part), (x1, y1))
    values = [frame.getpixel((x, y)) for y in range(HEIGHT) for x in range(WIDTH)]
    return {
        "placement": {"flip": flip, "flipVertical": flipVertical, "scale": scale, "top": top, "left": left},
        "values": [round(value, 3) for value in values],
    }


cases = [
    placed(False, False, 1.5, -2.25, -3.75),
    placed(True, False, 2, -12, 0),
    placed(True, True, 1.75, -8.125, -11.5),
    placed(False, False, 0.75, 1, 3),
    placed(False, True, 0.5, 6, 0),
    placed(True, False, 0.25, 2, 5),
    placed(False, False, 1, 2, -5),
]
golden = {"pillow": PIL.__version__, "height": HEIGHT, "width": WIDTH, "pixels": pixels, "cases": cases}
Path(__file__).with_name("golden.json").write_text(json.dumps(golden) + "\n")
