"""Writes 200 images of the data packs and what torchvision makes of them by Pillow: `resampling.soak.ts`.

    python resampling.py MIRROR FOLDER

Pillow decodes them, so that no two JPEG decoders are compared. As raw bytes: `N.rgb` the image, and
`N.bilinear.rgb`, `N.bicubic.rgb` of 224 x 224 pixels after the shorter side became 256; `sizes.json` says the rest.
"""

import io
import json
import sys
import tarfile
from pathlib import Path

import PIL
import torchvision
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

mirror, folder = map(Path, sys.argv[1:])
packs = ["bccd-trainval.tar", "raccoon-train.tar", "coco128-train.tar", "camvid-half-trainval.tar"]
modes = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}
per_pack = 50

sizes = []
for pack in packs:
    with tarfile.open(mirror / pack) as tar:
        names = [
            member.name
            for member in tar.getmembers()
            if member.name.lower().endswith((".jpg", ".jpeg", ".png"))
            # Masks are no photographs.
            and not any(part in member.name.lower() for part in ("annot", "mask", "panoptic", "semantic"))
        ]
        step = len(names) / per_pack
        for name in (names[int(at * step)] for at in range(per_pack)):
            image = Image.open(io.BytesIO(tar.extractfile(name).read())).convert("RGB")
            at = len(sizes)
            sizes.append({"pack": pack, "name": name, "height": image.height, "width": image.width})
            (folder / f"{at}.rgb").write_bytes(image.tobytes())
            for mode, interpolation in modes.items():
                made = Compose([Resize(256, interpolation), CenterCrop(224)])(image)
                (folder / f"{at}.{mode}.rgb").write_bytes(made.tobytes())

told = {"pillow": PIL.__version__, "torchvision": torchvision.__version__, "images": sizes}
(folder / "sizes.json").write_text(json.dumps(told))
